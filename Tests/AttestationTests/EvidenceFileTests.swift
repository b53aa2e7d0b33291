// SPDX-License-Identifier: Apache-2.0
import Attestation
import EvidenceVectors
import PinKit
import TEE
import Testing

/// The report of `platform` as a KBS client of layout `layout` would send it.
private func dump(_ platform: FakePlatform, layout: String) throws -> JSONObject {
    let report = platform.signedReport()
    let bytes = { (range: Range<Int>) in JSON.array(report[range].map { .integer(Int64($0)) }) }
    let number = { (range: Range<Int>) in
        JSON.integer(report[range].reversed().reduce(0) { $0 << 8 | Int64($1) })
    }
    let version = { (start: Int) -> JSON in
        ["major": number(start + 2..<start + 3), "minor": number(start + 1..<start + 2), "build": number(start..<start + 1)]
    }
    let tcb = { (start: Int) -> JSON in
        let isTurin = report[0x188] >= 0x1A
        let at = { (index: Int) in number(start + index..<start + index + 1) }
        if layout == "A" {
            return [
                "bootloader": at(0), "tee": at(1), "_reserved": bytes(start + 2..<start + 6), "snp": at(6),
                "microcode": at(7),
            ]
        }
        return isTurin
            ? ["fmc": at(0), "bootloader": at(1), "tee": at(2), "snp": at(3), "microcode": at(7)]
            : ["fmc": .null, "bootloader": at(0), "tee": at(1), "snp": at(6), "microcode": at(7)]
    }
    var members: JSONObject = [
        "version": number(0..<4), "guest_svn": number(4..<8), "policy": number(8..<16), "family_id": bytes(0x10..<0x20),
        "image_id": bytes(0x20..<0x30), "vmpl": number(0x30..<0x34), "sig_algo": number(0x34..<0x38),
        "current_tcb": tcb(0x38), "plat_info": number(0x40..<0x48), "report_data": bytes(0x50..<0x90),
        "measurement": bytes(0x90..<0xC0), "host_data": bytes(0xC0..<0xE0), "id_key_digest": bytes(0xE0..<0x110),
        "author_key_digest": bytes(0x110..<0x140), "report_id": bytes(0x140..<0x160), "report_id_ma": bytes(0x160..<0x180),
        "reported_tcb": tcb(0x180), "chip_id": bytes(0x1A0..<0x1E0), "committed_tcb": tcb(0x1E0), "launch_tcb": tcb(0x1F0),
        "signature": ["r": bytes(0x2A0..<0x2E8), "s": bytes(0x2E8..<0x330)],
    ]
    if layout == "A" {
        members["_author_key_en"] = number(0x48..<0x4C)
        members["_reserved_0"] = number(0x4C..<0x50)
        members["_reserved_1"] = bytes(0x188..<0x1A0)
        for (name, start) in [("current", 0x1E8), ("committed", 0x1EC)] {
            for (index, part) in ["build", "minor", "major"].enumerated() {
                members["\(name)_\(part)"] = number(start + index..<start + index + 1)
            }
        }
        members["_reserved_2"] = number(0x1EB..<0x1EC)
        members["_reserved_3"] = number(0x1EF..<0x1F0)
        members["_reserved_4"] = bytes(0x1F8..<0x2A0)
        return members
    }
    members["key_info"] = number(0x48..<0x4C)
    for (index, name) in ["cpuid_fam_id", "cpuid_mod_id", "cpuid_step"].enumerated() {
        members[name] = number(0x188 + index..<0x189 + index)
    }
    members["current"] = version(0x1E8)
    members["committed"] = version(0x1EC)
    if layout == "C" {
        members["launch_mit_vector"] = number(0x1F8..<0x200)
        members["current_mit_vector"] = number(0x200..<0x208)
    }
    return members
}

private func file(_ json: JSON) throws -> EvidenceFile { try EvidenceFile(parsing: Array(json.canonical.utf8)) }

/// Report and certificates of SNP evidence.
private func snp(_ file: EvidenceFile) throws -> (report: [UInt8], table: SNPCertificateTable) {
    guard case .snp(let report, let table) = file.evidence else { throw EvidenceError(.malformed, detail: "not SNP") }
    return (report, table)
}

@Suite struct EvidenceFileTests {
    private static let platforms: [(String, FakePlatform)] = [
        ("A", .genoa()), ("B", .genoa()), ("C", .genoa()), ("C", .genoa(version: 5)), ("C", .turin()), ("B", .turin()),
    ]

    @Test func `the field dumps of KBS clients become the report that was signed`() throws {
        for (layout, platform) in Self.platforms {
            let certificate = platform.certificate.der()
            let chain: JSON = [
                ["cert_type": "VCEK", "data": .array(certificate.map { .integer(Int64($0)) })]
            ]
            let json: JSON = ["attestation_report": .object(try dump(platform, layout: layout)), "cert_chain": chain]
            let read = try file(json)
            #expect(read.format == "KBS evidence (layout \(layout))" && read.request == nil)
            // The fake platform signs with a random nonce each time: what is compared is what is signed.
            #expect(try SNPReport(parsing: snp(read).report).signedBytes == SNPField.signed.bytes(of: platform.report))
            #expect(try snp(read).table[.vcek] == certificate)
        }
    }

    @Test func `what layout B cannot carry shows as a signature that does not hold`() throws {
        var platform = FakePlatform.genoa(version: 5)
        platform[.launchMitigations] = 3
        let json: JSON = ["attestation_report": .object(try dump(platform, layout: "B")), "cert_chain": .null]
        let report = try snp(file(json)).report
        let anchors = try TrustAnchors.amd.addingSimulated(
            ark: CertificateDraft.ark().der(), ask: CertificateDraft.ask().der())
        #expect(throws: EvidenceError(.refused)) {
            try SNPVerifier(anchors: anchors).verify(report: report, certificates: platform.table(), at: FakePlatform.now)
        }
    }

    private static let wrong: [(String, JSON?)] = [
        ("version", nil), ("version", -1), ("version", 4_294_967_296), ("measurement", []), ("vmpl", "0"), ("chip_id", nil),
        ("current", [:]), ("cpuid_fam_id", 256), ("cpuid_step", nil), ("signature", ["r": [], "s": []]), ("colour", 1),
        ("launch_mit_vector", -1), ("reported_tcb", ["fmc": 1, "bootloader": 1, "tee": 1, "snp": 1, "microcode": 1]),
        ("measurement", .array((0..<48).map { _ in .integer(256) })),
    ]

    @Test func `a dump with a field that is not as it should be is malformed`() throws {
        for (name, value) in Self.wrong {
            var report = try dump(.genoa(), layout: "C")
            report[name] = value
            let error = #expect(throws: EvidenceError(.malformed), "\(name)") {
                try file(["attestation_report": .object(report), "cert_chain": .null])
            }
            #expect(error?.detail.contains("attestation_report") == true, "\(String(describing: error))")
        }
    }

    @Test func `raw bytes are a report, a report with certificates, or a quote`() throws {
        let platform = FakePlatform.genoa()
        let report = platform.signedReport()
        #expect(try snp(EvidenceFile(parsing: report)).table.entries.isEmpty)
        let table = platform.table()
        #expect(try snp(EvidenceFile(parsing: report + table)).table == SNPCertificateTable(parsing: table))
        let quote: [UInt8] = [4, 0, 2, 0, 0x81, 0, 0, 0] + [UInt8](repeating: 7, count: 700)
        #expect(try EvidenceFile(parsing: quote).evidence == .tdx(quote: quote, eventLog: []))
        for bytes in [[], [1], Array(report.dropLast()), report + [1]] as [[UInt8]] {
            #expect(throws: EvidenceError(.malformed), "\(bytes.count) bytes") { try EvidenceFile(parsing: bytes) }
        }
        #expect(throws: EvidenceError(.malformed)) {
            try EvidenceFile(parsing: [UInt8](repeating: 0x20, count: EvidenceFile.maximumSize + 1))
        }
    }

    @Test func `our own JSON carries all of it`() throws {
        let platform = FakePlatform.genoa()
        let whole = try EvidenceFile(parsing: platform.signedReport() + platform.table())
        #expect(try file(whole.json).evidence == whole.evidence)
        let quote = EvidenceFile.Evidence.tdx(quote: [4, 0, 2, 0], eventLog: [1, 2])
        #expect(try file(["quote": "BAACAA==", "ccel": "AQI="]).evidence == quote)
        #expect(try file(["quote": "BAACAA==", "cc_eventlog": "AQI=", "aa_eventlog": .null]).evidence == quote)
        #expect(try file(["quote": "BAACAA==", "cc_eventlog": .null]).evidence == .tdx(quote: [4, 0, 2, 0], eventLog: []))
    }

    @Test(arguments: [
        "{", "{}", "[]", "{\"report\":1}", "{\"report\":\"x\"}", "{\"quote\":\"AA==\",\"x\":1}", "{\"hcl_report\":\"\"}",
    ])
    func `what is no evidence is malformed`(text: String) {
        #expect(throws: EvidenceError(.malformed)) { try EvidenceFile(parsing: Array(text.utf8)) }
    }
}

// MARK: - Messages that others made

private let juneOf2025: Int64 = 1_748_736_000
private let julyOf2026: Int64 = 1_782_864_000

private func vector(_ path: String) throws -> EvidenceFile { try EvidenceFile(parsing: Vectors.read("kbs/\(path)")) }

/// The simulated platform of the vectors, and AMD.
private func verify(_ file: EvidenceFile, at seconds: Int64, simulated: Bool = true) throws -> GenuineSNP {
    let anchors =
        try simulated
        ? TrustAnchors.amd.addingSimulated(
            ark: Vectors.read("kbs/sim-snp/ark.der"), ask: Vectors.read("kbs/sim-snp/ask.der")) : .amd
    let (report, table) = try snp(file)
    return try SNPVerifier(anchors: anchors).verify(
        report: report, certificates: table.entries.isEmpty ? [] : table.encoded, at: seconds)
}

@Suite(.enabled(if: Vectors.present, "\(Vectors.missing)")) struct ForeignEvidenceTests {
    @Test func `a message of layout C is the report byte for byte, genuine below its own root only, and for its nonce`()
        throws
    {
        let file = try vector("rcar-0.4.0/3-attest-request-sim-snp.json")
        #expect(try snp(file).report == Vectors.read("kbs/sim-snp/report.bin"))
        let genuine = try verify(file, at: juneOf2025)
        let request = try #require(file.request), nonce = try #require(file.request?.nonce)
        #expect(genuine.report.reportData == request.reportData(nonce: nonce))
        #expect(throws: EvidenceError(.refused)) { try verify(file, at: juneOf2025, simulated: false) }
    }

    @Test func `layouts B and A are genuine, and for their nonces`() throws {
        let middle = try vector("rcar-0.4.0/3-attest-request-sim-snp-sev6.2-struct.json")
        let request = try #require(middle.request), nonce = try #require(middle.request?.nonce)
        #expect(middle.format.hasSuffix("(layout B)"))
        #expect(try verify(middle, at: juneOf2025).report.reportData == request.reportData(nonce: nonce))
        let old = try vector("rcar-legacy/3-attest-0.1.1-0.2.0-sim-snp-sev4-struct.json")
        #expect(old.format.hasSuffix("(layout A)") && old.request?.nonce == nil)
        #expect(try verify(old, at: juneOf2025).report.reportData == old.request?.reportData(nonce: nonce))
    }

    @Test func `real evidence in a message for another nonce is genuine and does not fit it`() throws {
        let file = try vector("rcar-0.4.0/3-attest-request-real-snp-wrong-nonce.json")
        let genuine = try verify(file, at: julyOf2026, simulated: false)
        #expect(genuine.product == .genoa && !genuine.isSimulated)
        let request = try #require(file.request), nonce = try #require(file.request?.nonce)
        #expect(genuine.report.reportData != request.reportData(nonce: nonce))
    }

    @Test func `Azure's report is over its virtual TPM's keys, and the quote by one of them`() throws {
        let file = try vector("azure-vtpm/snp-v2-milan.json")
        let vtpm = try #require(file.vtpm)
        try vtpm.verify()
        #expect(try verify(file, at: julyOf2026, simulated: false).product == .milan)
        #expect(vtpm.qualifyingData.count == 48 && vtpm.isOver(nonce: vtpm.qualifyingData))
        #expect(Hex.encode(vtpm.qualifyingData).hasPrefix("982f5c6e") && !vtpm.isOver(nonce: [1]))
    }

    @Test func `Azure's TDX evidence carries a quote over the same`() throws {
        let file = try vector("azure-vtpm/tdx-v1.json")
        let vtpm = try #require(file.vtpm)
        try vtpm.verify()
        #expect(vtpm.isOver(nonce: Array("challenge".utf8)))
        guard case .tdx(let quote, _) = file.evidence else { return #expect(Bool(false), "no quote") }
        #expect(quote.count == 5006)
    }

    /// Azure's evidence with another value for the member `name` of its TPM quote, or of its whole.
    private func tampered(_ name: String, in member: String?, by change: (JSON) throws -> JSON) throws -> AzureVTPM {
        var whole = try #require(Vectors.json("kbs/azure-vtpm/snp-v2-milan.json").object)
        if let member {
            var part = try #require(whole[member]?.object)
            part[name] = try change(part[name] ?? .null)
            whole[member] = .object(part)
        } else {
            whole[name] = try change(whole[name] ?? .null)
        }
        return try #require(file(.object(whole)).vtpm)
    }

    /// Hexadecimal text with one bit of byte `index` changed.
    private func flipping(_ index: Int) -> (JSON) throws -> JSON {
        { json in
            var bytes = try #require(json.string.flatMap { Hex.decode($0) })
            bytes[index] ^= 1
            return .string(Hex.encode(bytes))
        }
    }

    @Test func `a changed part of Azure's evidence is refused`() throws {
        let otherPCR = { (json: JSON) throws -> JSON in
            let pcrs = try #require(json.array)
            return .array([try self.flipping(31)(pcrs[0])] + pcrs.dropFirst())
        }
        // The first letter of a name in the variable data, whose digest is in the report.
        let otherData = { (json: JSON) throws -> JSON in
            var bytes = try #require(json.string.flatMap { text in Base64URL.decode(text.prefix { $0 != "=" }) })
            bytes[1300] ^= 1
            return .string(Base64URL.encode(bytes))
        }
        let flaws: [(String, AzureVTPM)] = [
            ("not signed by", try tampered("signature", in: "tpm_quote", by: flipping(9))),
            ("not signed by", try tampered("message", in: "tpm_quote", by: flipping(50))),
            ("other PCRs", try tampered("pcrs", in: "tpm_quote", by: otherPCR)),
            ("not over the keys", try tampered("hcl_report", in: nil, by: otherData)),
        ]
        for (reason, vtpm) in flaws {
            let error = #expect(throws: EvidenceError(.refused), "\(reason)") { try vtpm.verify() }
            #expect(error?.detail.contains(reason) == true, "\(String(describing: error))")
        }
    }

    @Test func `a TDX message carries its quote`() throws {
        let file = try vector("rcar-0.4.0/3-attest-request-real-tdx-wrong-nonce.json")
        guard case .tdx(let quote, let log) = file.evidence else { return #expect(Bool(false), "no quote") }
        #expect(quote.count == 5006 && log.isEmpty && file.request?.nonce != nil)
    }
}
