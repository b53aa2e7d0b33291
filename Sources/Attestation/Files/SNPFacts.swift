// SPDX-License-Identifier: Apache-2.0
internal import PinKit
public import TEE

extension FactSheet {
    /// A report, and which certificates came with it. Says what stands there, not that it is so.
    public init(_ report: SNPReport, certificates: SNPCertificateTable) {
        let product = report.product?.certificateName ?? "Milan or Genoa"
        self.init(
            title: "SEV-SNP attestation report, version \(report.version), \(product)",
            sections: [
                Section(name: "software", facts: Self.software(report)),
                Section(name: "guest", facts: Self.guest(report)),
                Section(name: "platform", facts: Self.platform(report)),
                Section(name: "signature", facts: Self.signature(report, certificates)),
            ])
    }

    private static func software(_ report: SNPReport) -> [Fact] {
        [
            .bytes("measurement", report.measurement), .bytes("id_key_digest", report.idKeyDigest),
            .bytes("author_key_digest", report.hasAuthorKey ? report.authorKeyDigest : []),
            .bytes("family_id", report.familyID), .bytes("image_id", report.imageID), .number("guest_svn", report.guestSVN),
        ]
    }

    private static func guest(_ report: SNPReport) -> [Fact] {
        let policy = report.guestPolicy
        // The ABI version and the bit that is always set are no permissions.
        let bits = SNPGuestPolicy(rawValue: policy.rawValue & ~0xffff).subtracting(.reservedOne)
        return [
            .bytes("report_data", report.reportData), .bytes("host_data", report.hostData), .number("vmpl", report.vmpl),
            .flags("allows", bits.subtracting(protections), permissions),
            .flags("guest_policy", bits.intersection(protections), SNPGuestPolicy.protections),
            Fact("abi", "\(policy.abiMajor).\(policy.abiMinor)"), .bytes("report_id", report.reportID),
        ]
    }

    private static let permissions: [(name: String, bit: SNPGuestPolicy)] = [
        ("smt", .smt), ("migrate", .migrate), ("debug", .debug), ("cxl", .cxl),
    ]
    private static let protections = SNPGuestPolicy(SNPGuestPolicy.protections.map(\.bit))

    private static func platform(_ report: SNPReport) -> [Fact] {
        let product = report.product
        var facts = [
            Fact("product", product?.rawValue ?? "milan or genoa", json: product.map { .string($0.rawValue) } ?? .null),
            .bytes("chip", Array(report.chipID.prefix(product?.chipIDCount ?? 64))), .tcb("tcb", report.reportedTCB, report),
            .tcb("tcb_committed", report.committedTCB, report), .tcb("tcb_current", report.currentTCB, report),
            .tcb("tcb_launch", report.launchTCB, report), Fact("firmware", "\(report.committedFirmware)"),
            Fact("firmware_current", "\(report.currentFirmware)"), .flags("platform", report.platformInfo, settings),
        ]
        if let launch = report.launchMitigations, let current = report.currentMitigations {
            facts += [.number("mitigations_launch", launch), .number("mitigations_current", current)]
        }
        return facts
    }

    private static let settings: [(name: String, bit: SNPPlatformInfo)] =
        [("smt", .smt)] + SNPPlatformInfo.protections + [("tio", .tio)]

    private static func signature(_ report: SNPReport, _ table: SNPCertificateTable) -> [Fact] {
        let names: [(SNPCertificateTable.Kind, String)] = [(.vcek, "VCEK"), (.vlek, "VLEK"), (.ask, "ASK"), (.ark, "ARK")]
        let found = table.entries.map { entry in names.first { $0.0 == entry.kind }?.1 ?? "other" }
        return [
            Fact("signing_key", report.signingKey?.memberName ?? "none that is known here"),
            Fact(
                "certificates", found.isEmpty ? "none in this file" : found.joined(separator: ", "),
                json: .array(found.map { .string($0) })),
        ]
    }
}

extension FactSheet.Fact {
    /// By component, and the 8 bytes as a policy writes them.
    fileprivate static func tcb(_ name: String, _ tcb: TCBVersion, _ report: SNPReport) -> FactSheet.Fact {
        let layout = report.tcbLayout
        var parts: JSONObject = ["hex": .string(tcb.hex)]
        for part in layout.components { parts[part.name] = .integer(Int64(tcb.bytes[part.index])) }
        return FactSheet.Fact(name, "\(tcb.hex)  \(tcb.description(in: layout))", json: .object(parts))
    }
}
