// SPDX-License-Identifier: Apache-2.0
public import PinKit
internal import TEE

/// What came of judging an evidence file: one step per question, and the policy's predicates.
public struct EvidenceReview: Sendable, Equatable {
    /// Raw values are what JSON says.
    public enum Outcome: String, Sendable {
        case accepted
        case refused
        /// Something that is needed to judge was not there.
        case undecided
    }

    public struct Step: Sendable, Equatable {
        /// `genuine`, `vtpm`, `fresh`, `policy`.
        public let name: String
        /// nil where nobody asked.
        public let outcome: Outcome?
        public let text: String
    }

    public let format: String
    /// The moment it was judged for, in seconds since 1970.
    public let moment: Int64
    public internal(set) var steps: [Step] = []
    public internal(set) var predicates: [Predicate] = []
    /// What a person should look after, though nothing is refused for it.
    public internal(set) var warnings: [String] = []

    init(format: String, moment: Int64) {
        self.format = format
        self.moment = moment
    }

    /// Refused where one step is, else undecided where one is.
    public var outcome: Outcome {
        let outcomes = steps.compactMap(\.outcome)
        return outcomes.contains(.refused) ? .refused : outcomes.contains(.undecided) ? .undecided : .accepted
    }

    mutating func add(_ name: String, _ outcome: Outcome?, _ text: String) {
        steps.append(Step(name: name, outcome: outcome, text: text))
    }

    /// Runs `body`, and adds what it threw as an answer to the question `name`; nil then.
    mutating func attempt<Value>(_ name: String, _ body: () throws(EvidenceError) -> Value) -> Value? {
        do throws(EvidenceError) {
            return try body()
        } catch {
            let isMissing = [EvidenceError.Code.unavailable, .failed].contains(error.code)
            add(name, isMissing ? .undecided : .refused, "\(error)")
            return nil
        }
    }
}

// MARK: - For people, and for programs

extension EvidenceReview {
    /// The outcome, the steps, and the predicates: those that hold in one line, the others with expected and actual value.
    public var text: String {
        var lines = ["\(outcome.rawValue): \(format), judged for \(Timestamp.text(moment))", ""]
        for step in steps { lines.append("  \(padded(step.name, 8))  \(padded(Self.word(step.outcome), 11))  \(step.text)") }
        if !predicates.isEmpty { lines.append("") }
        let width = predicates.map(\.name.count).max() ?? 0
        for predicate in predicates {
            let name = padded(predicate.name, width)
            if predicate.holds {
                lines.append("  ok  \(name)  \(predicate.actual)")
            } else {
                lines.append("  NO  \(name)  expected  \(predicate.expected)")
                lines.append("      \(padded("", width))  found     \(predicate.actual)")
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func word(_ outcome: Outcome?) -> String {
        switch outcome {
        case .accepted: "yes"
        case .refused: "no"
        case .undecided: "cannot tell"
        case nil: "not asked"
        }
    }

    public var json: JSON {
        let steps = steps.map { step -> JSON in
            var members: JSONObject = ["step": .string(step.name), "detail": .string(step.text)]
            members["outcome"] = step.outcome.map { .string($0.rawValue) } ?? .null
            return .object(members)
        }
        let predicates = predicates.map { predicate -> JSON in
            [
                "predicate": .string(predicate.name), "expected": .string(predicate.expected),
                "actual": .string(predicate.actual), "holds": .bool(predicate.holds),
            ]
        }
        return [
            "outcome": .string(outcome.rawValue), "format": .string(format), "at": .integer(moment), "steps": .array(steps),
            "predicates": .array(predicates), "warnings": .array(warnings.map { .string($0) }),
        ]
    }
}

private func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
