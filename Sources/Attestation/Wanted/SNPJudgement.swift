// SPDX-License-Identifier: Apache-2.0
internal import TEE

extension SNPPolicy {
    /// Judges genuine evidence. Report data is not a matter of policy: who asked for the report knows what must stand there.
    ///
    /// `references`: the newest set of the name that the policy has, signed by its owner; looked at only where it has one.
    /// `now`: seconds since 1970.
    public func judge(_ evidence: GenuineSNP, with references: ReferenceSet? = nil, at now: Int64 = 0) -> Verdict {
        let report = evidence.report
        var predicates = software(report)
        if let reference {
            let lookUp = reference.lookUp(references, { $0.snp }, for: "SEV-SNP", covers: covers, at: now)
            predicates += [lookUp.predicate]
            if let values = lookUp.values { predicates += values.software(report) + values.minimums(evidence) }
        }
        return Verdict(predicates: predicates + guest(report) + platform(evidence) + minimums(evidence))
    }

    private func software(_ report: SNPReport) -> [Predicate] {
        [
            .oneOf("measurement", measurements, report.measurement),
            .oneOf("id_key_digest", idKeyDigests, report.idKeyDigest),
            .oneOf("author_key_digest", authorKeyDigests, report.hasAuthorKey ? report.authorKeyDigest : nil),
            .oneOf("family_id", familyID.map { [$0] } ?? [], report.familyID),
            .oneOf("image_id", imageID.map { [$0] } ?? [], report.imageID),
            guestSVN.map { .atLeast("guest_svn", $0, report.guestSVN) },
        ].compactMap(\.self)
    }

    private func guest(_ report: SNPReport) -> [Predicate] {
        let asked = ABIVersion(major: report.guestPolicy.abiMajor, minor: report.guestPolicy.abiMinor)
        // A guest that forbids SMT is not launched with it; the platform's own word is looked at all the same.
        let smt = report.guestPolicy.contains(.smt) || report.platformInfo.contains(.smt)
        return [
            .oneOf("host_data", hostData.map { [$0] } ?? [], report.hostData),
            Predicate(name: "vmpl", expected: "\(vmpl)", actual: "\(report.vmpl)", holds: report.vmpl == vmpl),
            .off("debug", unless: allowsDebug, report.guestPolicy.contains(.debug)),
            .off("migrate", unless: allowsMigration, report.guestPolicy.contains(.migrate)),
            .off("smt", unless: allowsSMT, smt),
            .off("cxl", unless: allowsCXL, report.guestPolicy.contains(.cxl)),
            .off("tio", unless: allowsTIO, report.platformInfo.contains(.tio)),
            .allOf("guest_policy", guestPolicy, report.guestPolicy, SNPGuestPolicy.protections),
            abi.map { .atLeast("abi", $0, asked) },
        ].compactMap(\.self)
    }

    private func platform(_ evidence: GenuineSNP) -> [Predicate] {
        let report = evidence.report
        return [
            .oneOf("product", named: products.map(\.rawValue), evidence.product.rawValue),
            .oneOf("chip", chips.map(Self.wholeChipID), report.chipID),
            .oneOf("signing_key", named: signingKeys.map(\.memberName), evidence.signingKey.memberName),
            .oneOf("provider", named: providers, evidence.provider ?? "absent"),
            .allOf("platform", platformInfo, report.platformInfo, SNPPlatformInfo.protections),
        ].compactMap(\.self)
    }

    private func minimums(_ evidence: GenuineSNP) -> [Predicate] {
        let (report, product) = (evidence.report, evidence.product)
        return [
            .minimum("tcb", tcb, report.reportedTCB, of: product),
            .minimum("tcb_committed", committedTCB, report.committedTCB, of: product),
            .minimum("tcb_launch", launchTCB, report.launchTCB, of: product),
            .minimum("tcb_current", currentTCB, report.currentTCB, of: product),
            firmware.map { .atLeast("firmware", $0, report.committedFirmware) },
            currentFirmware.map { .atLeast("firmware_current", $0, report.currentFirmware) },
            mitigations == 0 ? nil : .mitigations(mitigations, report),
        ].compactMap(\.self)
    }

    private static func wholeChipID(_ chip: [UInt8]) -> [UInt8] {
        chip + [UInt8](repeating: 0, count: max(0, 64 - chip.count))
    }
}
