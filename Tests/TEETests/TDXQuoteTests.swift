// SPDX-License-Identifier: Apache-2.0
import EvidenceVectors
import PinKit
import TEE
import Testing

/// A quote that nobody signed.
private func draft(version: UInt16 = 4, size: Int = TDReport.byteCount10) -> [UInt8] {
    let signature = TDXQuoteSignature(
        signature: pattern(64, from: 1), attestationKey: pattern(64, from: 2), qeReport: QEReport(pattern(384, from: 3))!,
        qeReportSignature: pattern(64, from: 4), qeAuthentication: pattern(32, from: 5), certificates: pattern(700, from: 6))
    let signed = TDXQuote.signedBytes(of: TDReport(pattern(size, from: 7))!, version: version, vendor: pattern(16, from: 8))
    return TDXQuote.encode(signed: signed, signature: signature)
}

@Suite struct TDXQuoteTests {
    @Test(arguments: [(4, 584, 48), (5, 584, 54), (5, 648, 54)] as [(UInt16, Int, Int)])
    func `every part is read from its place`(version: UInt16, size: Int, start: Int) throws {
        let bytes = draft(version: version, size: size)
        let quote = try TDXQuote(parsing: bytes)
        #expect(quote.raw == bytes && quote.version == version && quote.qeVendor == pattern(16, from: 8))
        #expect(quote.signedBytes == Array(bytes[..<(start + size)]))
        #expect(quote.report.raw == Array(bytes[start..<start + size]))
        let signature = quote.signature
        #expect(signature.signature == pattern(64, from: 1) && signature.attestationKey == pattern(64, from: 2))
        #expect(signature.signature == Array(bytes[(start + size + 4)...].prefix(64)))
        #expect(signature.qeReport.raw == pattern(384, from: 3) && signature.qeReportSignature == pattern(64, from: 4))
        #expect(signature.qeAuthentication == pattern(32, from: 5) && signature.certificates == pattern(700, from: 6))
    }

    @Test func `every field of a report is read from its place`() throws {
        let raw = pattern(648, from: 7)
        let report = try #require(TDReport(raw))
        let at = { (offset: Int, count: Int) in Array(raw[offset..<offset + count]) }
        #expect(report.teeTCB == at(0, 16) && report.mrSEAM == at(16, 48) && report.mrSignerSEAM == at(64, 48))
        #expect(report.seamAttributes == 0x7e7d_7c7b_7a79_7877 && report.attributes.rawValue == 0x8685_8483_8281_807f)
        #expect(report.xfam == 0x8e8d_8c8b_8a89_8887)
        #expect(report.mrTD == at(136, 48) && report.mrConfigID == at(184, 48) && report.mrOwner == at(232, 48))
        #expect(report.mrOwnerConfig == at(280, 48))
        #expect(report.rtmrs == [at(328, 48), at(376, 48), at(424, 48), at(472, 48)])
        #expect(report.reportData == at(520, 64) && report.teeTCB2 == at(584, 16) && report.mrServiceTD == at(600, 48))
        let old = try #require(TDReport(Array(raw.prefix(584))))
        #expect(old.teeTCB2 == nil && old.mrServiceTD == nil)
        #expect(TDReport(pattern(600, from: 0)) == nil && TDReport([]) == nil)
    }

    @Test func `every field of the quoting enclave's report is read from its place`() throws {
        let raw = pattern(384, from: 0)
        let report = try #require(QEReport(raw))
        #expect(report.miscSelect == 0x1312_1110 && report.attributes == Array(raw[48..<64]))
        #expect(report.mrEnclave == Array(raw[64..<96]) && report.mrSigner == Array(raw[128..<160]))
        #expect(report.productID == 0x0100 && report.svn == 0x0302 && report.reportData == Array(raw[320..<384]))
        #expect(QEReport(pattern(383, from: 0)) == nil)
    }

    @Test func `attributes have their bits`() {
        let attributes = TDAttributes(rawValue: 0x8000_0000_7000_0001)
        #expect(attributes == [.debug, .septVEDisable, .migratable, .pks, .perfmon])
        #expect(!TDAttributes(rawValue: 0x80).isDisjoint(with: .underDebug))
    }

    @Test(arguments: [4, 5] as [UInt16])
    func `a quote cut anywhere is malformed`(version: UInt16) {
        let bytes = draft(version: version, size: version == 4 ? 584 : 648)
        for count in bytes.indices {
            #expect(throws: EvidenceError(.malformed), "\(count)") { try TDXQuote(parsing: Array(bytes.prefix(count))) }
        }
    }

    @Test func `whatever follows a quote is ignored`() throws {
        let bytes = draft()
        for padding in [[0], [UInt8](repeating: 0, count: 3000), pattern(70, from: 1)] {
            #expect(try TDXQuote(parsing: bytes + padding).raw == bytes)
        }
        #expect(throws: EvidenceError(.malformed)) {
            try TDXQuote(parsing: bytes + [UInt8](repeating: 0, count: TDXQuote.maximumByteCount))
        }
    }

    @Test func `another version, key type, TEE or body is malformed`() {
        let (four, five) = (draft(), draft(version: 5, size: 648))
        let changes: [([UInt8], Int, UInt8)] = [
            (four, 0, 3), (four, 0, 6), (four, 1, 1), (four, 2, 3), (four, 4, 0), (four, 7, 1), (five, 48, 1), (five, 48, 2),
            (five, 48, 4), (five, 50, 0x48), (five, 53, 1), (four, 0, 5), (five, 0, 4),
        ]
        for (bytes, index, value) in changes {
            var changed = bytes
            changed[index] = value
            #expect(throws: EvidenceError(.malformed), "byte \(index)") { try TDXQuote(parsing: changed) }
        }
    }

    @Test func `every flipped bit of a size or a type of the signature is malformed`() {
        let bytes = draft() + [UInt8](repeating: 0, count: 2000)
        // Length of the signature, type and size of the QE report's data, length of authentication data, type and size of the
        // chain.
        for offset in [632, 633, 634, 635, 764, 765, 766, 767, 768, 769, 1218, 1219, 1252, 1253, 1254, 1255, 1256, 1257] {
            for bit in 0..<8 {
                var changed = bytes
                changed[offset] ^= 1 << bit
                #expect(throws: EvidenceError(.malformed), "byte \(offset), bit \(bit)") { try TDXQuote(parsing: changed) }
            }
        }
    }

    @Test(
        .enabled(if: Vectors.present, "\(Vectors.missing)"), arguments: Vectors.quotes)
    func `a real quote reads as another program read it`(folder: String) throws {
        let quote = try TDXQuote(parsing: Vectors.read("tdx/\(folder)/quote.bin"))
        let meta = try Vectors.json("tdx/\(folder)/meta.json")
        let begins = { (bytes: [UInt8], name: String) in meta[name]?.string.map(Hex.encode(bytes).hasPrefix) == true }
        #expect(Int64(quote.version) == meta["version"]?.integer && begins(quote.qeVendor, "qe_vendor"))
        #expect(begins(quote.report.teeTCB, "tee_tcb_svn") && begins(quote.report.mrSEAM, "mrseam"))
        #expect(begins(TDXField.tdAttributes.bytes(of: quote.report.raw), "td_attrs"))
        #expect(begins(TDXField.xfam.bytes(of: quote.report.raw), "xfam"))
        #expect(begins(quote.report.mrTD, "mrtd") && begins(quote.report.mrConfigID, "mrconfigid"))
        #expect(begins(quote.report.reportData, "report_data"))
        let registers = (meta["rtmr"]?.array ?? []).compactMap(\.string)
        #expect(zip(quote.report.rtmrs, registers).allSatisfy { Hex.encode($0).hasPrefix($1) } && registers.count == 4)
        #expect(begins(quote.signature.qeReport.mrSigner, "qe_mrsigner"))
        #expect(Int64(quote.signature.qeReport.svn) == meta["qe_isvsvn"]?.integer)
        #expect(Int64(quote.signature.qeReport.productID) == meta["qe_isvprodid"]?.integer)
        let used = meta["used"]?.integer ?? 0
        #expect(Int64(quote.raw.count) == used)
        if let second = quote.report.teeTCB2 { #expect(begins(second, "tee_tcb_svn2")) }
    }
}
