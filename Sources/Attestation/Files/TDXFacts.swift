// SPDX-License-Identifier: Apache-2.0
internal import PinKit
public import TEE

extension FactSheet {
    /// A quote, and the log that came with it. Says what stands there, not that it is so.
    public init(_ quote: TDXQuote, eventLog: [UInt8]) {
        let report = quote.report
        let kind = report.teeTCB2 == nil ? "TDX 1.0" : "TDX 1.5"
        let rtmrs = report.rtmrs.enumerated().map { Fact.bytes("rtmr\($0)", $1) }
        self.init(
            title: "TDX quote, version \(quote.version), of a guest of \(kind)",
            sections: [
                Section(name: "software", facts: [.bytes("mrtd", report.mrTD)] + rtmrs),
                Section(name: "guest", facts: Self.guest(report)),
                Section(name: "platform", facts: Self.platform(report)),
                Section(name: "signature", facts: Self.signature(quote)),
                Section(name: "event log", facts: Self.log(eventLog, of: report)),
            ])
    }

    private static func guest(_ report: TDReport) -> [Fact] {
        [
            .bytes("report_data", report.reportData), .bytes("mrconfigid", report.mrConfigID),
            .bytes("mrowner", report.mrOwner), .bytes("mrownerconfig", report.mrOwnerConfig),
            .flags("attributes", report.attributes, attributes), Fact("xfam", "0x\(String(report.xfam, radix: 16))"),
        ] + (report.mrServiceTD.map { [.bytes("mrservicetd", $0)] } ?? [])
    }

    private static let attributes: [(name: String, bit: TDAttributes)] = [
        ("debug", .debug), ("sept_ve_disable", .septVEDisable), ("migratable", .migratable), ("pks", .pks),
        ("perfmon", .perfmon),
    ]

    private static func platform(_ report: TDReport) -> [Fact] {
        let signer = report.mrSignerSEAM
        return [
            .bytes("mrseam", report.mrSEAM),
            Fact(
                "mrsignerseam", signer.contains { $0 != 0 } ? Hex.encode(signer) : "none: Intel's module",
                json: .string(Hex.encode(signer))),
            .svns("tee_tcb_svn", report.teeTCB),
        ] + (report.teeTCB2.map { [.svns("tee_tcb_svn2", $0)] } ?? [])
    }

    private static func signature(_ quote: TDXQuote) -> [Fact] {
        let qe = quote.signature.qeReport
        return [
            .bytes("qe_vendor", quote.qeVendor), .bytes("qe_mrsigner", qe.mrSigner), .number("qe_isvsvn", qe.svn),
        ]
    }

    private static func log(_ bytes: [UInt8], of report: TDReport) -> [Fact] {
        guard !bytes.isEmpty else { return [] }
        guard let log = try? EventLog(parsing: bytes) else { return [Fact("events", "not a CCEL")] }
        let fits = log.replay == report.rtmrs
        return [
            .number("events", log.events.count),
            Fact(
                "replay", fits ? "gives the RTMRs of the quote" : "gives OTHER RTMRs than the quote has", json: .bool(fits)),
        ]
    }
}

extension FactSheet.Fact {
    /// Security version numbers, as Intel's TCB levels list them.
    fileprivate static func svns(_ name: String, _ svns: [UInt8]) -> FactSheet.Fact {
        FactSheet.Fact(
            name, svns.map(String.init).joined(separator: " "), json: .array(svns.map { .integer(Int64($0)) }))
    }
}
