// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

extension SNPPolicy {
    /// Judges genuine evidence. Report data is not a matter of policy: who asked for the report knows what must stand there.
    public func judge(_ evidence: GenuineSNP) -> Verdict {
        let report = evidence.report
        return Verdict(predicates: software(report) + host(report) + platform(report, of: evidence.product))
    }

    private func software(_ report: SNPReport) -> [Predicate] {
        [
            .oneOf("measurement", measurements, report.measurement),
            .oneOf("id_key_digest", idKeyDigests, report.idKeyDigest),
            .oneOf("author_key_digest", authorKeyDigests, report.hasAuthorKey ? report.authorKeyDigest : nil),
            .oneOf("family_id", familyID.map { [$0] } ?? [], report.familyID),
            .oneOf("image_id", imageID.map { [$0] } ?? [], report.imageID),
            guestSVN.map { .atLeast("guest_svn", $0, report.guestSVN) },
            .oneOf("host_data", hostData.map { [$0] } ?? [], report.hostData),
            Predicate(name: "vmpl", expected: "\(vmpl)", actual: "\(report.vmpl)", holds: report.vmpl == vmpl),
        ].compactMap(\.self)
    }

    private func host(_ report: SNPReport) -> [Predicate] {
        let asked = ABIVersion(major: report.guestPolicy.abiMajor, minor: report.guestPolicy.abiMinor)
        // A guest that forbids SMT is not launched with it; the platform's own word is looked at all the same.
        let smt = report.guestPolicy.contains(.smt) || report.platformInfo.contains(.smt)
        return [
            .off("debug", unless: allowsDebug, report.guestPolicy.contains(.debug)),
            .off("migrate", unless: allowsMigration, report.guestPolicy.contains(.migrate)),
            .off("smt", unless: allowsSMT, smt),
            .off("cxl", unless: allowsCXL, report.guestPolicy.contains(.cxl)),
            .allOf("guest_policy", guestPolicy, report.guestPolicy, SNPGuestPolicy.protections),
            abi.map { .atLeast("abi", $0, asked) },
        ].compactMap(\.self)
    }

    private func platform(_ report: SNPReport, of product: SNPProduct) -> [Predicate] {
        [
            products.isEmpty
                ? nil
                : Predicate(
                    name: "product", expected: products.map(\.rawValue).joined(separator: " or "), actual: product.rawValue,
                    holds: products.contains(product)),
            .oneOf("chip", chips.map(Self.wholeChipID), report.chipID),
            .allOf("platform", platformInfo, report.platformInfo, SNPPlatformInfo.protections),
            .minimum("tcb", tcb, report.reportedTCB, of: product),
            .minimum("tcb_committed", committedTCB, report.committedTCB, of: product),
            .minimum("tcb_launch", launchTCB, report.launchTCB, of: product),
            firmware.map { .atLeast("firmware", $0, report.committedFirmware) },
            mitigations == 0 ? nil : .mitigations(mitigations, report),
        ].compactMap(\.self)
    }

    private static func wholeChipID(_ chip: [UInt8]) -> [UInt8] {
        chip + [UInt8](repeating: 0, count: max(0, 64 - chip.count))
    }
}

// MARK: - Kinds of predicate; nil where the policy makes no demand

extension Predicate {
    fileprivate static func oneOf(_ name: String, _ allowed: [[UInt8]], _ actual: [UInt8]?) -> Predicate? {
        guard let first = allowed.first else { return nil }
        return Predicate(
            name: name, expected: allowed.count == 1 ? Base64URL.encode(first) : "one of the \(allowed.count) in the policy",
            actual: actual.map { Base64URL.encode($0) } ?? "absent", holds: actual.map { allowed.contains($0) } ?? false)
    }

    fileprivate static func atLeast<Value: Comparable>(_ name: String, _ minimum: Value, _ actual: Value) -> Predicate {
        Predicate(name: name, expected: "at least \(minimum)", actual: "\(actual)", holds: actual >= minimum)
    }

    fileprivate static func off(_ name: String, unless allowed: Bool, _ isOn: Bool) -> Predicate? {
        allowed ? nil : Predicate(name: name, expected: "off", actual: isOn ? "on" : "off", holds: !isOn)
    }

    fileprivate static func allOf<Flags: OptionSet>(
        _ name: String, _ required: Flags, _ actual: Flags, _ known: [(name: String, bit: Flags)]
    ) -> Predicate? where Flags.Element == Flags {
        guard !required.isEmpty else { return nil }
        let names = { (flags: Flags) in known.filter { flags.contains($0.bit) }.map(\.name).joined(separator: ", ") }
        let found = names(actual)
        return Predicate(
            name: name, expected: "with \(names(required))", actual: found.isEmpty ? "nothing" : found,
            holds: actual.isSuperset(of: required))
    }

    fileprivate static func minimum(
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

    fileprivate static func mitigations(_ required: UInt64, _ report: SNPReport) -> Predicate {
        let expected = "with all bits of \(required)"
        guard let launch = report.launchMitigations, let current = report.currentMitigations else {
            return Predicate(name: "mitigations", expected: expected, actual: "absent", holds: false)
        }
        return Predicate(
            name: "mitigations", expected: expected, actual: "\(launch) at launch and \(current) now",
            holds: launch & current & required == required)
    }
}
