// SPDX-License-Identifier: Apache-2.0
public import TEE

extension TDXPolicy {
    /// The strictest policy that accepts all of `evidence`: what each alone would make (``strictest(accepting:covers:)``), put
    /// together. `anyChip`: leaves processors out. Throws where one is not such as to learn from.
    public static func strictest(
        accepting evidence: [GenuineTDX], covers: Coverage, anyChip: Bool = false
    ) throws(EvidenceError) -> TDXPolicy {
        var single: [TDXPolicy] = []
        for genuine in evidence {
            guard let policy = strictest(accepting: genuine, covers: covers) else {
                throw cannotLearn("a guest can be debugged, migrated or faulted by its host, or is not measured")
            }
            single.append(policy)
        }
        guard var policy = single.first, single.count <= maximumListCount else {
            throw cannotLearn("give 1 to \(maximumListCount) quotes")
        }
        policy.mrTDs = distinct(single.flatMap(\.mrTDs))
        policy.rtmrs = policy.rtmrs.indices.map { index in distinct(single.flatMap { $0.rtmrs[index] }) }
        policy.mrConfigID = common(single.map(\.mrConfigID))
        policy.mrOwner = common(single.map(\.mrOwner))
        policy.mrOwnerConfig = common(single.map(\.mrOwnerConfig))
        policy.allowsPKS = single.contains(where: \.allowsPKS)
        policy.allowsPerfmon = single.contains(where: \.allowsPerfmon)
        policy.fmspcs = distinct(single.flatMap(\.fmspcs))
        policy.tcbStatuses = distinct(single.flatMap(\.tcbStatuses))
        policy.advisories = distinct(single.flatMap(\.advisories)).sorted()
        policy.tcbEvaluation = single.compactMap(\.tcbEvaluation).min()
        policy.learnPlatform(evidence, anyChip: anyChip)
        return policy
    }

    private mutating func learnPlatform(_ evidence: [GenuineTDX], anyChip: Bool) {
        mrSEAMs = distinct(evidence.map(\.report.mrSEAM))
        if !anyChip { ppids = distinct(evidence.map(\.ppid)) }
        let services = evidence.compactMap(\.report.mrServiceTD)
        mrServiceTDs = services.count == evidence.count ? distinct(services) : []
    }

    private static func cannotLearn(_ detail: String) -> EvidenceError {
        EvidenceError(.refused, step: "learn a policy", detail: detail)
    }

    private static func common(_ values: [[UInt8]?]) -> [UInt8]? {
        values.allSatisfy { $0 == values.first } ? values.first ?? nil : nil
    }
}
