// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

// The kinds of predicate that policies are made of; nil where the policy makes no demand.

extension Predicate {
    /// Digests are written in hexadecimal, as other tools of the field print them.
    static func oneOf(_ name: String, _ allowed: [[UInt8]], _ actual: [UInt8]?) -> Predicate? {
        guard let first = allowed.first else { return nil }
        return Predicate(
            name: name, expected: allowed.count == 1 ? Hex.encode(first) : "one of the \(allowed.count) in the policy",
            actual: actual.map { Hex.encode($0) } ?? "absent", holds: actual.map { allowed.contains($0) } ?? false)
    }

    static func oneOf(_ name: String, named allowed: [String], _ actual: String) -> Predicate? {
        guard !allowed.isEmpty else { return nil }
        return Predicate(
            name: name, expected: allowed.joined(separator: " or "), actual: actual, holds: allowed.contains(actual))
    }

    static func atLeast<Value: Comparable>(_ name: String, _ minimum: Value, _ actual: Value) -> Predicate {
        Predicate(name: name, expected: "at least \(minimum)", actual: "\(actual)", holds: actual >= minimum)
    }

    static func off(_ name: String, unless allowed: Bool, _ isOn: Bool) -> Predicate? {
        allowed ? nil : Predicate(name: name, expected: "off", actual: isOn ? "on" : "off", holds: !isOn)
    }

    static func allOf<Flags: OptionSet>(
        _ name: String, _ required: Flags, _ actual: Flags, _ known: [(name: String, bit: Flags)]
    ) -> Predicate? where Flags.Element == Flags {
        guard !required.isEmpty else { return nil }
        let names = { (flags: Flags) in known.filter { flags.contains($0.bit) }.map(\.name).joined(separator: ", ") }
        let found = names(actual)
        return Predicate(
            name: name, expected: "with \(names(required))", actual: found.isEmpty ? "nothing" : found,
            holds: actual.isSuperset(of: required))
    }

    static func minimum(
        _ name: String, _ minimums: [SNPProduct: TCBVersion], _ actual: TCBVersion, of product: SNPProduct
    ) -> Predicate? {
        guard !minimums.isEmpty else { return nil }
        guard let minimum = minimums[product] else {
            let named = SNPProduct.allCases.filter { minimums[$0] != nil }.map(\.rawValue).joined(separator: " or ")
            return Predicate(name: name, expected: "of a \(named)", actual: "of a \(product.rawValue)", holds: false)
        }
        let text = { (tcb: TCBVersion) in "\(tcb.hex) (\(tcb.description(in: product.tcbLayout)))" }
        return Predicate(
            name: name, expected: "at least \(text(minimum))", actual: text(actual), holds: actual.isAtLeast(minimum))
    }

    static func mitigations(_ required: UInt64, _ report: SNPReport) -> Predicate {
        let expected = "with all bits of \(required)"
        guard let launch = report.launchMitigations, let current = report.currentMitigations else {
            return Predicate(name: "mitigations", expected: expected, actual: "absent", holds: false)
        }
        return Predicate(
            name: "mitigations", expected: expected, actual: "\(launch) at launch and \(current) now",
            holds: launch & current & required == required)
    }
}
