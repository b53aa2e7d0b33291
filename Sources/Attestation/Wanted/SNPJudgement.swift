// SPDX-License-Identifier: Apache-2.0
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
