// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

extension TDXPolicy {
    /// Judges genuine evidence. Report data is not a matter of policy: who asked for the quote knows what must stand there.
    /// `references`, `now`: as in ``SNPPolicy/judge(_:with:at:)``.
    public func judge(_ evidence: GenuineTDX, with references: ReferenceSet? = nil, at now: Int64 = 0) -> Verdict {
        var predicates = values(evidence)
        if let reference {
            let lookUp = reference.lookUp(references, { $0.tdx }, for: "TDX", covers: covers, at: now)
            predicates += [lookUp.predicate] + (lookUp.values?.values(evidence) ?? [])
        }
        return Verdict(
            predicates: predicates + guest(evidence.report) + host(evidence.report.attributes) + platform(evidence))
    }

    private func values(_ evidence: GenuineTDX) -> [Predicate] {
        let report = evidence.report
        let registers = zip(rtmrs, report.rtmrs).enumerated().map { index, register in
            Predicate.oneOf("rtmr\(index)", register.0, register.1)
        }
        let others: [Predicate?] = [
            .events(events, evidence.eventLog), .oneOf("mrseam", mrSEAMs, report.mrSEAM),
            tcbEvaluation.map { .atLeast("tcb_evaluation", $0, evidence.tcbEvaluation) },
        ]
        return ([.oneOf("mrtd", mrTDs, report.mrTD)] + registers + others).compactMap(\.self)
    }

    private func guest(_ report: TDReport) -> [Predicate] {
        let predicates: [Predicate?] = [
            .oneOf("mrconfigid", mrConfigID.map { [$0] } ?? [], report.mrConfigID),
            .oneOf("mrowner", mrOwner.map { [$0] } ?? [], report.mrOwner),
            .oneOf("mrownerconfig", mrOwnerConfig.map { [$0] } ?? [], report.mrOwnerConfig),
            .oneOf("mrservicetd", mrServiceTDs, report.mrServiceTD),
        ]
        return predicates.compactMap(\.self)
    }

    private func host(_ attributes: TDAttributes) -> [Predicate] {
        [
            .underDebug(attributes, allowingDebug: allowsDebug),
            .off("migrate", unless: allowsMigration, attributes.contains(.migratable)),
            demandsSEPTVEDisable ? .septVE(attributes) : nil,
            .off("pks", unless: allowsPKS, attributes.contains(.pks)),
            .off("perfmon", unless: allowsPerfmon, attributes.contains(.perfmon)),
        ].compactMap(\.self)
    }

    private func platform(_ evidence: GenuineTDX) -> [Predicate] {
        let predicates: [Predicate?] = [
            .oneOf("fmspc", fmspcs, evidence.fmspc), .oneOf("ppid", ppids, evidence.ppid),
            .oneOf("tcb_status", named: tcbStatuses.map(\.rawValue), evidence.tcbStatus.rawValue),
            .advisories(allowed: advisories, evidence.advisories),
        ]
        return predicates.compactMap(\.self)
    }
}

// MARK: - Kinds of predicate

extension Predicate {
    /// Also with debugging allowed, the other bits of its group stay reserved.
    fileprivate static func underDebug(_ attributes: TDAttributes, allowingDebug: Bool) -> Predicate {
        let found = attributes.intersection(.underDebug)
        let text = found.isEmpty ? "off" : found == .debug ? "on" : "attribute bits 0x\(String(found.rawValue, radix: 16))"
        return Predicate(
            name: "debug", expected: allowingDebug ? "on or off" : "off", actual: text,
            holds: found.isEmpty || (allowingDebug && found == .debug))
    }

    fileprivate static func septVE(_ attributes: TDAttributes) -> Predicate {
        let isDisabled = attributes.contains(.septVEDisable)
        return Predicate(
            name: "sept_ve", expected: "disabled", actual: isDisabled ? "disabled" : "enabled", holds: isDisabled)
    }

    fileprivate static func advisories(allowed: [String], _ actual: [String]) -> Predicate {
        let others = actual.filter { !allowed.contains($0) }
        return Predicate(
            name: "advisories", expected: allowed.isEmpty ? "none" : "none but \(allowed.joined(separator: ", "))",
            actual: actual.isEmpty ? "none" : actual.joined(separator: ", "), holds: others.isEmpty)
    }

    fileprivate static func events(_ patterns: [TDXPolicy.EventPattern], _ log: EventLog?) -> Predicate? {
        guard !patterns.isEmpty else { return nil }
        let problem = log.map { firstDifference(patterns, $0) } ?? "absent: there is no event log"
        return Predicate(
            name: "events", expected: "the \(patterns.count) in the policy",
            actual: problem ?? "the \(patterns.count) in the policy", holds: problem == nil)
    }

    /// nil where every event of the registers that are named is allowed, and all that is named is there.
    private static func firstDifference(_ patterns: [TDXPolicy.EventPattern], _ log: EventLog) -> String? {
        let registers = Set(patterns.map(\.rtmr))
        let events = log.events.filter { registers.contains($0.rtmr) }
        if let other = events.first(where: { event in !patterns.contains { $0.matches(event) } }) {
            return "also \(other.type.name) with \(Hex.encode(other.digest)) in RTMR\(other.rtmr)"
        }
        if let missing = patterns.first(where: { pattern in !events.contains(where: pattern.matches) }) {
            let digest = missing.digest.map { " with \(Hex.encode($0))" } ?? ""
            return "without \(missing.type.name)\(digest) in RTMR\(missing.rtmr)"
        }
        return nil
    }
}
