// SPDX-License-Identifier: Apache-2.0
import PinKit
import TEESimulator
import Testing

struct ReportTests {
    private let reportData = [UInt8](1...64)

    @Test func `a report is signed by the key of its certificate over its first 0x2A0 bytes`() throws {
        let platform = try SimulatedSNP()
        let report = try platform.report(for: reportData)
        #expect(report.count == 1184)
        #expect(try isGenuine(report, of: platform))
        // R and S are little-endian in 72 bytes; the last 24 of each, and what follows them, stay zero.
        #expect(report[0x2A0 + 48..<0x2A0 + 72].allSatisfy { $0 == 0 })
        #expect(report[0x2E8 + 48..<1184].allSatisfy { $0 == 0 })
    }

    @Test func `a byte turned over after signing breaks the signature`() throws {
        let platform = try SimulatedSNP()
        for offset in [0, 0x90, 0x29F] {
            let report = try platform.report(for: reportData, flipping: [offset])
            #expect(try !isGenuine(report, of: platform))
        }
    }

    @Test func `every setting stands where the ABI puts it`() throws {
        var settings = SNPSettings()
        settings.version = 5
        settings.guestSVN = 7
        settings.policy = 0xb_0000
        settings.familyID = [UInt8](repeating: 0xf1, count: 16)
        settings.imageID = [UInt8](repeating: 0xf2, count: 16)
        settings.vmpl = 1
        settings.platformInfo = 0x65
        settings.measurement = [UInt8](repeating: 0xf3, count: 48)
        settings.hostData = [UInt8](repeating: 0xf4, count: 32)
        settings.idKeyDigest = [UInt8](repeating: 0xf5, count: 48)
        settings.authorKeyDigest = [UInt8](repeating: 0xf6, count: 48)
        settings.chip = [UInt8](repeating: 0xf7, count: 64)
        settings.tcb.reported = [1, 0, 0, 0, 0, 0, 0, 0xd9]
        settings.tcb.committed = [2, 0, 0, 0, 0, 0, 0, 0xda]
        settings.tcb.current = [3, 0, 0, 0, 0, 0, 0, 0xdb]
        settings.tcb.launch = [4, 0, 0, 0, 0, 0, 0, 0xdc]
        let report = try SimulatedSNP(settings).report(for: reportData)
        func field(_ offset: Int, _ count: Int) -> [UInt8] { Array(report[offset..<offset + count]) }
        #expect(field(0x000, 8) == [5, 0, 0, 0, 7, 0, 0, 0])
        #expect(field(0x008, 8) == [0, 0, 0x0b, 0, 0, 0, 0, 0])
        #expect(field(0x010, 16) == settings.familyID)
        #expect(field(0x020, 16) == settings.imageID)
        #expect(field(0x030, 8) == [1, 0, 0, 0, 1, 0, 0, 0])
        #expect(field(0x038, 8) == settings.tcb.current)
        #expect(field(0x040, 8) == [0x65, 0, 0, 0, 0, 0, 0, 0])
        #expect(field(0x048, 8) == [1, 0, 0, 0, 0, 0, 0, 0])
        #expect(field(0x050, 64) == reportData)
        #expect(field(0x090, 48) == settings.measurement)
        #expect(field(0x0C0, 32) == settings.hostData)
        #expect(field(0x0E0, 48) == settings.idKeyDigest)
        #expect(field(0x110, 48) == settings.authorKeyDigest)
        #expect(field(0x160, 32) == [UInt8](repeating: 0xff, count: 32))
        #expect(field(0x180, 8) == settings.tcb.reported)
        #expect(field(0x188, 3) == [0x19, 0x11, 0x01])
        #expect(field(0x1A0, 64) == settings.chip)
        #expect(field(0x1E0, 8) == settings.tcb.committed)
        #expect(field(0x1F0, 8) == settings.tcb.launch)
        #expect(field(0x1F8, 1) == [0x0b])
    }

    @Test func `a report of version 2 has no CPUID bytes`() throws {
        var settings = SNPSettings()
        settings.version = 2
        let report = try SimulatedSNP(settings).report(for: reportData)
        #expect(report[0x188..<0x1A0].allSatisfy { $0 == 0 })
    }

    private func isGenuine(_ report: [UInt8], of platform: SimulatedSNP) throws -> Bool {
        let r = report[0x2A0..<0x2A0 + 48].reversed()
        let s = report[0x2E8..<0x2E8 + 48].reversed()
        return try X509Object(platform.endorsementDER).verifiesP384(Array(r) + Array(s), over: Array(report[..<0x2A0]))
    }
}
