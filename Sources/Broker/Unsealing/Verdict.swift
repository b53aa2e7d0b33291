// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import PinKit

/// What the broker decided, and why. The same words go to the guest, the log and the audit table, so none is a secret; a
/// peer's words come as one line without control characters, so that they cannot pose as other lines.
public struct Verdict: Sendable, Equatable {
    public let decision: Decision
    /// One line; of a share that was granted, what its owner should look after, and mostly empty.
    public let reason: String
    /// The policy's conditions that did not hold, all of them.
    public let failures: [FailedPredicate]

    package init(decision: Decision, reason: String, failures: [FailedPredicate] = []) {
        self.decision = decision
        self.reason = printable(reason)
        self.failures = failures
    }

    /// The reason with every condition that failed: `…: measurement is …, not …; vmpl is 2, not 0`.
    public var explained: String {
        guard !failures.isEmpty else { return reason }
        return reason + ": " + failures.map(\.description).joined(separator: "; ")
    }

    static func refused(_ reason: String, _ failures: [FailedPredicate] = []) -> Verdict {
        Verdict(decision: .refused, reason: reason, failures: failures)
    }

    static func malformed(_ reason: String) -> Verdict { Verdict(decision: .malformed, reason: reason) }

    static func unavailable(_ reason: String) -> Verdict { Verdict(decision: .unavailable, reason: reason) }

    /// `granted`, or the `code` of an error in an answer (docs/spec/broker.md §4). A struct, so that it can grow.
    public struct Decision: RawRepresentable, Hashable, Sendable {
        public let rawValue: String
        public init(rawValue: String) { self.rawValue = rawValue }

        public static let granted = Decision(rawValue: "granted")
        /// Read, judged, and the answer is no.
        public static let refused = Decision(rawValue: "refused")
        /// Can never be opened.
        public static let malformed = Decision(rawValue: "malformed")
        /// This broker cannot decide now.
        public static let unavailable = Decision(rawValue: "unavailable")
    }
}

/// A condition that did not hold, with both sides in words.
public struct FailedPredicate: Sendable, Equatable, CustomStringConvertible {
    public let predicate: String
    public let expected: String
    public let actual: String

    package init(predicate: String, expected: String, actual: String) {
        self.predicate = printable(predicate)
        self.expected = printable(expected)
        self.actual = printable(actual)
    }

    init(_ json: JSON) throws(JSONError) {
        var reader = try JSONReader(json)
        self.predicate = try reader.string("predicate")
        self.expected = try reader.string("expected")
        self.actual = try reader.string("actual")
        try reader.finish()
    }

    public var description: String { "\(predicate) is \(actual), not \(expected)" }

    var json: JSON { ["predicate": .string(predicate), "expected": .string(expected), "actual": .string(actual)] }
}
