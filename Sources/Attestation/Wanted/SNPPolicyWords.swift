// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

extension SNPPolicy {
    /// What it asks for, in words, and at the end what it does not ask for.
    public var words: FactSheet {
        FactSheet(
            title: "A policy for SEV-SNP. A guest gets the share if all of this holds:",
            sections: [
                FactSheet.Section(name: "software", facts: [.coverage(covers)] + softwareInWords),
                FactSheet.Section(name: "guest", facts: guestInWords),
                FactSheet.Section(name: "platform", facts: platformInWords + minimumsInWords),
                FactSheet.Section(name: "not asked for", facts: unaskedInWords),
            ])
    }

    /// The demands of a set of reference values.
    var valuesInWords: [FactSheet.Fact] { softwareInWords + minimumsInWords }

    /// What in it deserves a second look, though it may be meant.
    public var remarks: [String] {
        var remarks: [String] = []
        if !coversInitrd { remarks.append("covers leaves the initrd out: the host can boot one of its own") }
        if allowsDebug { remarks.append("debug is allowed: the host can read the guest's memory, and the share in it") }
        if allowsMigration { remarks.append("migrate is allowed: a migration agent can move the guest's memory elsewhere") }
        if vmpl != 0 { remarks.append("vmpl is \(vmpl): what runs at the levels below must be trusted too") }
        if tcb.isEmpty, reference == nil {
            remarks.append("tcb has no minimum: platforms with known holes are accepted, unless the broker has one")
        }
        if measurements.isEmpty, reference == nil, guestSVN == nil {
            remarks.append("guest_svn has no minimum: all that the ID key ever signed is accepted")
        }
        return remarks
    }

    private var softwareInWords: [FactSheet.Fact] {
        let facts: [FactSheet.Fact?] = [
            .reference(reference),
            .anyOf("measurement", measurements),
            .anyOf("id_key_digest", idKeyDigests),
            .anyOf("author_key_digest", authorKeyDigests),
            .anyOf("family_id", familyID.map { [$0] } ?? []),
            .anyOf("image_id", imageID.map { [$0] } ?? []),
            guestSVN.map { FactSheet.Fact("guest_svn", "\($0) or higher") },
        ]
        return facts.compactMap(\.self)
    }

    private var guestInWords: [FactSheet.Fact] {
        let facts: [FactSheet.Fact?] = [
            hostData.map { FactSheet.Fact("host_data", "\(Hex.encode($0)): this one VM") },
            FactSheet.Fact("vmpl", vmpl == 0 ? "0, the most privileged" : "\(vmpl)"),
            FactSheet.Fact("debug", allowsDebug ? "ALLOWED: the host may read the guest's memory" : "off"),
            FactSheet.Fact("migrate", allowsMigration ? "ALLOWED: the guest may be moved elsewhere" : "off"),
            allowsSMT ? nil : FactSheet.Fact("smt", "off, in guest and platform"),
            allowsCXL ? nil : FactSheet.Fact("cxl", "off"), allowsTIO ? nil : FactSheet.Fact("tio", "off"),
            .allOf("guest_policy", guestPolicy, SNPGuestPolicy.protections),
            abi.map { FactSheet.Fact("abi", "\($0) or higher") },
        ]
        return facts.compactMap(\.self)
    }

    private var platformInWords: [FactSheet.Fact] {
        let facts: [FactSheet.Fact?] = [
            .anyOf("product", products.map(\.rawValue)), .anyOf("chip", chips),
            .anyOf("signing_key", signingKeys.map(\.memberName)), .anyOf("provider", providers),
            .allOf("platform", platformInfo, SNPPlatformInfo.protections),
        ]
        return facts.compactMap(\.self)
    }

    private var minimumsInWords: [FactSheet.Fact] {
        let facts: [FactSheet.Fact?] = [
            .minimum("tcb", tcb), .minimum("tcb_committed", committedTCB), .minimum("tcb_launch", launchTCB),
            .minimum("tcb_current", currentTCB), firmware.map { FactSheet.Fact("firmware", "\($0) or higher") },
            currentFirmware.map { FactSheet.Fact("firmware_current", "\($0) or higher") },
            mitigations == 0
                ? nil : FactSheet.Fact("mitigations", "bits 0x\(String(mitigations, radix: 16)) at launch and now"),
        ]
        return facts.compactMap(\.self)
    }

    private var unaskedInWords: [FactSheet.Fact] {
        let asked = Set((softwareInWords + guestInWords + platformInWords + minimumsInWords).map(\.name))
        let names = Self.members.filter { !asked.contains($0) && !($0 == "measurement" && reference != nil) }
        return names.isEmpty ? [] : [FactSheet.Fact("any", names.joined(separator: ", "))]
    }

    private static let members = [
        "measurement", "id_key_digest", "author_key_digest", "family_id", "image_id", "guest_svn", "host_data", "smt", "cxl",
        "tio", "guest_policy", "abi", "product", "chip", "signing_key", "provider", "platform", "tcb", "tcb_committed",
        "tcb_launch", "tcb_current", "firmware", "firmware_current", "mitigations",
    ]
}

extension FactSheet.Fact {
    static func coverage(_ covers: SNPPolicy.Coverage) -> FactSheet.Fact {
        let isOpen = !covers.contains(.initrd)
        return FactSheet.Fact(
            "covers",
            isOpen ? "\(covers), and NOT the initrd: the host can boot one of its own" : "\(covers): so says the owner")
    }

    static func reference(_ reference: ReferenceName?) -> FactSheet.Fact? {
        reference.map { FactSheet.Fact("reference", "\($0), signed by the owner and in force: its values hold as well") }
    }

    static func anyOf(_ name: String, _ values: [[UInt8]]) -> FactSheet.Fact? {
        anyOf(name, values.map { Hex.encode($0) })
    }

    /// One below the other; nil for none.
    static func anyOf(_ name: String, _ values: [String]) -> FactSheet.Fact? {
        guard let first = values.first else { return nil }
        return FactSheet.Fact(
            name, values.dropFirst().reduce(first) { "\($0)\nor \($1)" }, json: .array(values.map { .string($0) }))
    }

    fileprivate static func allOf<Flags: OptionSet>(
        _ name: String, _ flags: Flags, _ known: [(name: String, bit: Flags)]
    ) -> FactSheet.Fact? where Flags.Element == Flags {
        let names = known.filter { flags.contains($0.bit) }.map(\.name)
        guard !names.isEmpty else { return nil }
        return FactSheet.Fact(name, names.joined(separator: " and "), json: .array(names.map { .string($0) }))
    }

    fileprivate static func minimum(_ name: String, _ minimums: [SNPProduct: TCBVersion]) -> FactSheet.Fact? {
        let lines = SNPProduct.allCases.compactMap { product in
            minimums[product].map { "\(product.rawValue): \($0.description(in: product.tcbLayout)), each or higher" }
        }
        return lines.isEmpty ? nil : FactSheet.Fact(name, lines.joined(separator: "\n"), json: .minimumTCBs(minimums))
    }
}
