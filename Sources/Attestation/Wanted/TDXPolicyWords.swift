// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

extension TDXPolicy {
    /// What it asks for, in words, and at the end what it does not ask for.
    public var words: FactSheet {
        FactSheet(
            title: "A policy for TDX. A guest gets the share if all of this holds:",
            sections: [
                FactSheet.Section(name: "software", facts: [.coverage(covers)] + softwareInWords),
                FactSheet.Section(name: "guest", facts: guestInWords),
                FactSheet.Section(name: "platform", facts: platformInWords),
                FactSheet.Section(name: "not asked for", facts: unaskedInWords),
            ])
    }

    /// The demands of a set of reference values.
    var valuesInWords: [FactSheet.Fact] {
        softwareInWords + [.anyOf("mrseam", mrSEAMs), evaluationInWords].compactMap(\.self)
    }

    /// What in it deserves a second look, though it may be meant.
    public var remarks: [String] {
        var remarks: [String] = []
        if !coversInitrd { remarks.append("covers leaves the initrd out: the host can boot one of its own") }
        if coversInitrd, reference == nil, rtmrs[1].isEmpty || rtmrs[2].isEmpty, events.isEmpty {
            remarks.append("covers has the initrd, but rtmr1 or rtmr2, which measure kernel and initrd, is not asked for")
        }
        if allowsDebug { remarks.append("debug is allowed: the host can read the guest's memory, and the share in it") }
        if allowsMigration { remarks.append("migrate is allowed: a migration TD can move the guest elsewhere") }
        if !demandsSEPTVEDisable { remarks.append("sept_ve is false: the host can inject page faults into the guest") }
        for status in tcbStatuses where [.outOfDate, .outOfDateConfigurationNeeded].contains(status) {
            remarks.append("tcb_status has \(status.rawValue): platforms with known holes are accepted")
        }
        return remarks
    }

    private var softwareInWords: [FactSheet.Fact] {
        var facts: [FactSheet.Fact?] = [.reference(reference), .anyOf("mrtd", mrTDs)]
        for (index, list) in rtmrs.enumerated() { facts.append(.anyOf("rtmr\(index)", list)) }
        if !events.isEmpty {
            let lines = events.map { event in
                "RTMR\(event.rtmr) \(event.type.name) \(event.digest.map { Hex.encode($0) } ?? "of any content")"
            }
            facts.append(.anyOf("events", lines))
        }
        return facts.compactMap(\.self)
    }

    private var guestInWords: [FactSheet.Fact] {
        let facts: [FactSheet.Fact?] = [
            .anyOf("mrconfigid", mrConfigID.map { [$0] } ?? []), .anyOf("mrowner", mrOwner.map { [$0] } ?? []),
            .anyOf("mrownerconfig", mrOwnerConfig.map { [$0] } ?? []), .anyOf("mrservicetd", mrServiceTDs),
            FactSheet.Fact("debug", allowsDebug ? "ALLOWED: the host may read the guest's memory" : "off"),
            FactSheet.Fact("migrate", allowsMigration ? "ALLOWED: the guest may be moved elsewhere" : "off"),
            demandsSEPTVEDisable ? FactSheet.Fact("sept_ve", "disabled") : nil,
            allowsPKS ? nil : FactSheet.Fact("pks", "off"), allowsPerfmon ? nil : FactSheet.Fact("perfmon", "off"),
        ]
        return facts.compactMap(\.self)
    }

    private var platformInWords: [FactSheet.Fact] {
        let allowed = advisories.isEmpty ? "none may apply" : "none may apply but \(advisories.joined(separator: ", "))"
        let facts: [FactSheet.Fact?] = [
            .anyOf("mrseam", mrSEAMs), .anyOf("fmspc", fmspcs), .anyOf("ppid", ppids),
            .anyOf("tcb_status", tcbStatuses.map(\.rawValue)), FactSheet.Fact("advisories", allowed), evaluationInWords,
        ]
        return facts.compactMap(\.self)
    }

    private var evaluationInWords: FactSheet.Fact? {
        tcbEvaluation.map { FactSheet.Fact("tcb_evaluation", "\($0) or higher") }
    }

    private var unaskedInWords: [FactSheet.Fact] {
        let asked = Set((softwareInWords + guestInWords + platformInWords).map(\.name))
        let names = Self.members.filter { !asked.contains($0) && !($0 == "mrtd" && reference != nil) }
        return names.isEmpty ? [] : [FactSheet.Fact("any", names.joined(separator: ", "))]
    }

    private static let members = [
        "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "events", "mrconfigid", "mrowner", "mrownerconfig", "mrservicetd",
        "sept_ve", "pks", "perfmon", "mrseam", "fmspc", "ppid", "tcb_evaluation",
    ]
}
