// SPDX-License-Identifier: Apache-2.0
import PinKit

/// A message's policy as a person reads it, one pin a line, thresholds with their children below.
struct PolicyDrawing {
    let registry: PinRegistry

    /// The lines of `message`: its pin, then its children indented.
    func lines(_ message: JWE) -> [String] {
        let name = message.pin ?? "a message without a pin"
        guard let threshold = threshold(of: message) else { return ["\(name)\(summary(of: message))"] }
        var lines = ["\(name): any \(threshold.needed) of \(threshold.children.count)"]
        for (index, child) in threshold.children.enumerated() {
            lines += PolicyDrawing.hang(self.lines(child), isLast: index == threshold.children.count - 1)
        }
        return lines
    }

    /// The same as a value: `{"pin":…,"t":…,"children":[…]}` or `{"pin":…,…parameters}`.
    func json(_ message: JWE) -> JSON {
        var object: JSONObject = ["pin": message.pin.map { .string($0) } ?? .null]
        if let threshold = threshold(of: message) {
            object["t"] = .integer(Int64(threshold.needed))
            object["children"] = .array(threshold.children.map(json))
        } else if let parameters = message.parameters, message.pin != "null" {
            object["parameters"] = parameters
        }
        return .object(object)
    }

    /// Draws `lines` as one branch of a tree.
    static func hang(_ lines: [String], isLast: Bool) -> [String] {
        lines.enumerated().map { index, line in
            let joint = isLast ? (index == 0 ? "└─ " : "   ") : (index == 0 ? "├─ " : "│  ")
            return joint + line
        }
    }

    private func threshold(of message: JWE) -> Threshold? {
        guard let pin = try? registry.pin(of: message) as? any PolicyPin else { return nil }
        return try? pin.threshold(of: message)
    }

    /// What a leaf demands, as far as its header says it.
    private func summary(of message: JWE) -> String {
        guard let parameters = message.parameters else { return "" }
        let url = parameters["url"]?.string.map { " at \($0)" } ?? ""
        let policy = parameters["policy"]?.object.map { " if \(terms($0))" } ?? ""
        return url + policy
    }

    private func terms(_ policy: JSONObject) -> String {
        policy.members.map { member in "\(member.name) \(text(member.value))" }.joined(separator: ", ")
    }

    private func text(_ value: JSON) -> String {
        switch value {
        case .array(let elements) where elements.count == 1: text(elements[0])
        case .array(let elements): "(\(elements.map(text).joined(separator: " ")))"
        case .string(let string): string.count > 24 ? "\(string.prefix(12))…" : string
        default: value.canonical
        }
    }
}
