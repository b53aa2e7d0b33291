// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

extension TDXPolicy {
    /// Judges genuine evidence. Report data is not a matter of policy: who asked for the quote knows what must stand there.
    public func judge(_ evidence: GenuineTDX) -> Verdict {
        Verdict(predicates: software(evidence) + host(evidence.report.attributes) + platform(evidence))
    }

    private func software(_ evidence: GenuineTDX) -> [Predicate] {
        let report = evidence.report
        let registers = zip(rtmrs, report.rtmrs).enumerated().map { index, register in
            Predicate.oneOf("rtmr\(index)", register.0, register.1)
        }
        let others: [Predicate?] = [
            .oneOf("mrconfigid", mrConfigID.map { [$0] } ?? [], report.mrConfigID),
            .oneOf("mrowner", mrOwner.map { [$0] } ?? [], report.mrOwner),
            .oneOf("mrownerconfig", mrOwnerConfig.map { [$0] } ?? [], report.mrOwnerConfig),
            .oneOf("mrservicetd", mrServiceTDs, report.mrServiceTD),
            .events(events, evidence.eventLog),
        ]
        return ([.oneOf("mrtd", mrTDs, report.mrTD)] + registers + others).compactMap(\.self)
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
        [
            .oneOf("mrseam", mrSEAMs, evidence.report.mrSEAM),
            .oneOf("fmspc", fmspcs, evidence.fmspc),
            .oneOf("ppid", ppids, evidence.ppid),
            Predicate(
                name: "tcb_status", expected: tcbStatuses.map(\.rawValue).joined(separator: " or "),
                actual: evidence.tcbStatus.rawValue, holds: tcbStatuses.contains(evidence.tcbStatus)),
            .advisories(allowed: advisories, evidence.advisories),
            tcbEvaluation.map { .atLeast("tcb_evaluation", $0, evidence.tcbEvaluation) },
        ].compactMap(\.self)
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
