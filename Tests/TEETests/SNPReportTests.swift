// SPDX-License-Identifier: Apache-2.0
import EvidenceVectors
import PinKit
import TEE
import Testing

@Suite struct SNPReportTests {
    @Test func `every field is read from its place`() throws {
        var bytes = draftReport(version: 5)
        let places: [(Int, [UInt8])] = [
            (0x004, pattern(4, from: 1)), (0x008, pattern(8, from: 2)), (0x010, pattern(16, from: 3)),
            (0x020, pattern(16, from: 4)), (0x030, [2, 0, 0, 0]), (0x034, [1, 0, 0, 0]), (0x038, pattern(8, from: 5)),
            (0x040, [0x65, 0, 0, 0, 0, 0, 0, 0]), (0x048, [0b00111, 0, 0, 0]), (0x050, pattern(64, from: 6)),
            (0x090, pattern(48, from: 7)), (0x0C0, pattern(32, from: 8)), (0x0E0, pattern(48, from: 9)),
            (0x110, pattern(48, from: 10)), (0x140, pattern(32, from: 11)), (0x160, pattern(32, from: 12)),
            (0x180, pattern(8, from: 13)), (0x1A0, pattern(64, from: 14)), (0x1E0, pattern(8, from: 15)),
            (0x1E8, [40, 55, 1, 0]), (0x1EC, [29, 54, 1, 0]), (0x1F0, pattern(8, from: 16)),
            (0x1F8, [11, 0, 0, 0, 0, 0, 0, 0]), (0x200, [63, 0, 0, 0, 0, 0, 0, 0x80]), (0x2A0, pattern(48, from: 17)),
            (0x2E8, pattern(48, from: 18)),
        ]
        for (offset, value) in places { bytes.replaceSubrange(offset..<offset + value.count, with: value) }
        let report = try SNPReport(parsing: bytes)
        #expect(report.guestSVN == 0x0403_0201)
        #expect(report.guestPolicy.rawValue == 0x0908_0706_0504_0302)
        #expect((report.guestPolicy.abiMajor, report.guestPolicy.abiMinor) == (3, 2))
        #expect(report.familyID == pattern(16, from: 3) && report.imageID == pattern(16, from: 4))
        #expect(report.vmpl == 2 && report.signatureAlgorithm == 1)
        #expect(report.currentTCB.bytes == pattern(8, from: 5) && report.reportedTCB.bytes == pattern(8, from: 13))
        #expect(report.committedTCB.bytes == pattern(8, from: 15) && report.launchTCB.bytes == pattern(8, from: 16))
        #expect(report.platformInfo.contains([.smt, .ecc, .aliasCheck]) && !report.platformInfo.contains(.tsme))
        #expect(report.hasAuthorKey && report.masksChipKey && report.signingKey == .vlek)
        #expect(report.reportData == pattern(64, from: 6) && report.measurement == pattern(48, from: 7))
        #expect(report.hostData == pattern(32, from: 8) && report.chipID == pattern(64, from: 14))
        #expect(report.idKeyDigest == pattern(48, from: 9) && report.authorKeyDigest == pattern(48, from: 10))
        #expect(report.reportID == pattern(32, from: 11) && report.migrationAgentReportID == pattern(32, from: 12))
        #expect(report.currentFirmware.description == "1.55.40" && report.committedFirmware.description == "1.54.29")
        #expect(report.launchMitigations == 11 && report.currentMitigations == 0x8000_0000_0000_003f)
        #expect(report.product == .genoa && report.version == 5)
        #expect(report.signedBytes == Array(bytes[..<0x2A0]) && report.raw == bytes)
        #expect(report.signature == pattern(48, from: 17).reversed() + pattern(48, from: 18).reversed())
    }

    @Test func `what came with version 5 is not there before`() throws {
        let report = try SNPReport(parsing: draftReport(version: 3))
        #expect(report.launchMitigations == nil && report.currentMitigations == nil)
    }

    @Test(arguments: [0, 1183, 1185, 4096])
    func `another length is malformed`(count: Int) {
        let bytes = draftReport() + [UInt8](repeating: 0, count: max(0, count - SNPReport.byteCount))
        #expect(throws: EvidenceError(.malformed)) { try SNPReport(parsing: Array(bytes.prefix(count))) }
    }

    @Test(arguments: [0, 1, 4, 6, 0x0100_0003] as [UInt64])
    func `another version is malformed`(version: UInt64) {
        #expect(throws: EvidenceError(.malformed)) { try SNPReport(parsing: draftReport(version: version)) }
    }

    @Test func `a processor that is not known is malformed, but version 2 does not say which it is`() throws {
        #expect(throws: EvidenceError(.malformed)) { try SNPReport(parsing: draftReport(family: 0x19, model: 0x20)) }
        #expect(try SNPReport(parsing: draftReport(version: 2, family: 0xff, model: 0xff)).product == nil)
    }

    @Test func `each byte beside r and s must be zero`() throws {
        let free = Array(0x2D0..<0x2E8) + Array(0x318..<SNPReport.byteCount)
        for index in free {
            var bytes = draftReport()
            bytes[index] = 1
            #expect(throws: EvidenceError(.malformed), "byte \(index)") { try SNPReport(parsing: bytes) }
        }
    }

    @Test(
        .enabled(if: Vectors.present, "\(Vectors.missing)"), arguments: Vectors.evidence)
    func `a real report reads as another program read it`(folder: String) throws {
        let bytes = try Vectors.read("snp/\(folder)/report.bin")
        let meta = try Vectors.json("snp/\(folder)/meta.json")
        let report = try SNPReport(parsing: bytes)
        #expect(Int64(report.version) == meta["version"]?.integer)
        #expect(Int64(report.guestSVN) == meta["guest_svn"]?.integer)
        #expect(Int64(report.vmpl) == meta["vmpl"]?.integer)
        #expect("0x" + String(report.guestPolicy.rawValue, radix: 16) == meta["policy"]?.string)
        #expect("0x" + String(report.platformInfo.rawValue, radix: 16) == meta["plat_info"]?.string)
        #expect(Hex.encode(report.reportData) == meta["report_data"]?.string)
        #expect(Hex.encode(report.measurement) == meta["measurement"]?.string)
        #expect(Hex.encode(report.hostData) == meta["host_data"]?.string)
        #expect(Hex.encode(report.idKeyDigest) == meta["id_key_digest"]?.string)
        #expect(Hex.encode(report.chipID) == meta["chip_id"]?.string)
        #expect(report.currentFirmware.description == meta["fw_cur"]?.string)
        if let product = report.product {
            let generation = try #require(meta["gen"]?.string)  // Genoa stands for all of Genoa/Bergamo/Siena.
            #expect(generation.hasPrefix(product.certificateName))
        }
        for (name, tcb) in [
            ("reported", report.reportedTCB), ("current", report.currentTCB), ("committed", report.committedTCB),
        ] {
            let components = try #require(meta[name])
            for (component, index) in report.tcbLayout.components {
                #expect(Int64(tcb.bytes[index]) == components[component]?.integer, "\(name) \(component)")
            }
        }
    }
}

@Suite struct SNPProductTests {
    @Test(
        arguments: [
            (0x19, 0x00, .milan), (0x19, 0x0F, .milan), (0x19, 0x10, .genoa), (0x19, 0x1F, .genoa), (0x19, 0x20, nil),
            (0x19, 0x9F, nil), (0x19, 0xA0, .genoa), (0x19, 0xAF, .genoa), (0x19, 0xB0, nil), (0x1A, 0x00, .turin),
            (0x1A, 0x11, .turin), (0x1A, 0x12, nil), (0x1A, 0x50, .venice), (0x1A, 0xC7, .venice), (0x1A, 0xC8, nil),
            (0x18, 0x00, nil),
        ] as [(UInt8, UInt8, SNPProduct?)])
    func `family and model name the product`(family: UInt8, model: UInt8, product: SNPProduct?) {
        #expect(SNPProduct(family: family, model: model) == product)
    }
}

@Suite struct TCBVersionTests {
    @Test func `one lower component is enough to be lower, whatever the others are`() throws {
        let minimum = try #require(TCBVersion(hex: "0402000000001850"))
        #expect(minimum.isAtLeast(minimum))
        for index in 0..<8 where minimum.bytes[index] > 0 {
            var bytes = [UInt8](repeating: 0xff, count: 8)
            bytes[index] = minimum.bytes[index] - 1
            let tcb = try #require(TCBVersion(bytes))
            #expect(!tcb.isAtLeast(minimum), "byte \(index)")
        }
    }

    @Test func `the text is the bytes in the order of the report`() throws {
        let tcb = try #require(TCBVersion([1, 3, 2, 5, 0, 0, 0, 97]))
        #expect(tcb.hex == "0103020500000061")
        #expect(tcb.description(in: .turin) == "fmc 1, bl 3, tee 2, snp 5, ucode 97")
        #expect(TCBVersion(hex: "0103020500000061") == tcb)
    }

    @Test(arguments: ["", "01", "010302050000006100", "010302050000006g"])
    func `another text is no TCB`(text: String) {
        #expect(TCBVersion(hex: text) == nil)
    }
}
