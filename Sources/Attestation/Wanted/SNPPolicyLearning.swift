// SPDX-License-Identifier: Apache-2.0
public import TEE

extension SNPPolicy {
    /// The strictest policy that accepts all of `evidence`: for an owner who has reports that are right.
    ///
    /// Measurements, keys, chips and products are those that occur; a TCB, a version and a security number is at least the
    /// lowest that occurs; a protection that all have is asked for, and what none has stays forbidden. `anyChip`: leaves chips
    /// out, for who does not choose the machine. Throws where one report allows debugging or migration, which nobody should
    /// ask for by example, and where no policy accepts them all.
    public static func strictest(
        accepting evidence: [GenuineSNP], covers: Coverage, anyChip: Bool = false
    ) throws(EvidenceError) -> SNPPolicy {
        let reports = evidence.map(\.report)
        guard let first = reports.first, !covers.isEmpty, reports.count <= maximumListCount else {
            throw cannotLearn("give 1 to \(maximumListCount) reports, and what their measurements cover")
        }
        guard reports.allSatisfy({ $0.guestPolicy.isDisjoint(with: [.debug, .migrate]) }) else {
            throw cannotLearn("a report allows debugging or migration: launch the guest without")
        }
        guard reports.allSatisfy({ $0.vmpl == first.vmpl }) else { throw cannotLearn("the reports are of different VMPLs") }
        var policy = SNPPolicy(covers: covers)
        policy.vmpl = first.vmpl
        policy.learnSoftware(reports)
        policy.learnGuest(reports)
        policy.learnPlatform(evidence, anyChip: anyChip)
        policy.learnMinimums(evidence)
        return policy
    }

    private static func cannotLearn(_ detail: String) -> EvidenceError {
        EvidenceError(.refused, step: "learn a policy", detail: detail)
    }

    private mutating func learnSoftware(_ reports: [SNPReport]) {
        measurements = distinct(reports.map(\.measurement))
        idKeyDigests = distinctIfAllSet(reports.map(\.idKeyDigest))
        authorKeyDigests = reports.allSatisfy(\.hasAuthorKey) ? distinctIfAllSet(reports.map(\.authorKeyDigest)) : []
        familyID = common(reports.map(\.familyID))
        imageID = common(reports.map(\.imageID))
        guestSVN = reports.map(\.guestSVN).min().flatMap { $0 == 0 ? nil : $0 }
    }

    private mutating func learnGuest(_ reports: [SNPReport]) {
        hostData = common(reports.map(\.hostData))
        allowsSMT = reports.contains { $0.guestPolicy.contains(.smt) || $0.platformInfo.contains(.smt) }
        allowsCXL = reports.contains { $0.guestPolicy.contains(.cxl) }
        allowsTIO = reports.contains { $0.platformInfo.contains(.tio) }
        for (_, bit) in SNPGuestPolicy.protections where reports.allSatisfy({ $0.guestPolicy.contains(bit) }) {
            guestPolicy.formUnion(bit)
        }
        abi = reports.map { ABIVersion(major: $0.guestPolicy.abiMajor, minor: $0.guestPolicy.abiMinor) }.min()
    }

    private mutating func learnPlatform(_ evidence: [GenuineSNP], anyChip: Bool) {
        products = SNPProduct.allCases.filter { product in evidence.contains { $0.product == product } }
        signingKeys = SNPSigningKey.all.filter { key in evidence.contains { $0.signingKey == key } }
        let named = evidence.compactMap(\.provider)
        providers = named.count == evidence.count ? distinct(named) : []
        if !anyChip {
            chips = distinctIfAllSet(evidence.map { Array($0.report.chipID.prefix($0.product.chipIDCount)) })
        }
        for (_, bit) in SNPPlatformInfo.protections where evidence.allSatisfy({ $0.report.platformInfo.contains(bit) }) {
            platformInfo.formUnion(bit)
        }
    }

    private mutating func learnMinimums(_ evidence: [GenuineSNP]) {
        for product in products {
            let reports = evidence.filter { $0.product == product }.map(\.report)
            tcb[product] = TCBVersion.lowest(reports.map(\.reportedTCB))
            committedTCB[product] = TCBVersion.lowest(reports.map(\.committedTCB))
            launchTCB[product] = TCBVersion.lowest(reports.map(\.launchTCB))
            currentTCB[product] = TCBVersion.lowest(reports.map(\.currentTCB))
        }
        firmware = evidence.map(\.report.committedFirmware).min()
        currentFirmware = evidence.map(\.report.currentFirmware).min()
        // JSON's integers end at 2^53; no bit up there has a meaning.
        mitigations = evidence.map(\.report).reduce((1 << 53) - 1) { bits, report in
            bits & (report.launchMitigations ?? 0) & (report.currentMitigations ?? 0)
        }
    }
}

/// Each once, in the order in which they came.
func distinct<Value: Equatable>(_ values: [Value]) -> [Value] {
    values.reduce(into: []) { list, value in if !list.contains(value) { list.append(value) } }
}

/// Those that occur; none where one is all zero, which is a field that nobody set.
private func distinctIfAllSet(_ values: [[UInt8]]) -> [[UInt8]] {
    values.allSatisfy { $0.contains { $0 != 0 } } ? distinct(values) : []
}

/// What all have; nil where they differ or nobody set it.
private func common(_ values: [[UInt8]]) -> [UInt8]? {
    let found = distinctIfAllSet(values)
    return found.count == 1 ? found[0] : nil
}

extension TCBVersion {
    /// The lowest of each component; nil for none.
    fileprivate static func lowest(_ versions: [TCBVersion]) -> TCBVersion? {
        guard let first = versions.first else { return nil }
        return TCBVersion(versions.reduce(first.bytes) { zip($0, $1.bytes).map { min($0, $1) } })
    }
}
