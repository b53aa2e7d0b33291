// SPDX-License-Identifier: Apache-2.0
import PinKit
import TEE
import Testing

@Suite struct SNPCertificateTableTests {
    private let table = SNPCertificateTable(entries: [
        .init(kind: .vcek, bytes: pattern(1300, from: 1)), .init(kind: .ask, bytes: pattern(1600, from: 2)),
        .init(kind: .ark, bytes: []),
    ])

    @Test func `a table reads back as it was written, and writes the same bytes again`() throws {
        let bytes = table.encoded
        let parsed = try SNPCertificateTable(parsing: bytes)
        #expect(parsed == table)
        #expect(parsed.encoded == bytes)
        #expect(parsed[.vcek] == pattern(1300, from: 1))
        #expect(parsed[.vlek] == nil)
    }

    @Test func `the layout is the specified one, GUIDs in textual order`() {
        let bytes = SNPCertificateTable(entries: [.init(kind: .vcek, bytes: [0xaa, 0xbb])]).encoded
        #expect(
            Hex.encode(bytes) == "63da758de6644564adc5f4b93be8accd" + "30000000" + "02000000"
                + String(repeating: "00", count: 24) + "aabb")
    }

    @Test func `no bytes and an empty list are empty tables`() throws {
        #expect(try SNPCertificateTable(parsing: []).entries.isEmpty)
        #expect(try SNPCertificateTable(parsing: [UInt8](repeating: 0, count: 4096)).entries.isEmpty)
    }

    @Test func `padding after the data is no part of the table`() throws {
        #expect(try SNPCertificateTable(parsing: table.encoded + [UInt8](repeating: 0, count: 512)) == table)
    }

    @Test func `an unknown GUID is kept and disturbs nobody`() throws {
        var bytes = table.encoded
        bytes[0] ^= 1
        let parsed = try SNPCertificateTable(parsing: bytes)
        #expect(parsed[.vcek] == nil && parsed[.ask] == table[.ask])
        #expect(parsed.encoded == bytes)
    }

    @Test func `a table cut anywhere is malformed`() {
        let bytes = table.encoded
        for count in 1..<bytes.count {
            #expect(throws: EvidenceError(.malformed), "\(count) bytes") {
                try SNPCertificateTable(parsing: Array(bytes.prefix(count)))
            }
        }
    }

    @Test(
        arguments: [
            (16, [0xff, 0xff, 0xff, 0xff]),  // offset far outside
            (16, [0x5f, 0, 0, 0]),  // offset inside the list of 4 entries
            (20, [0xff, 0xff, 0xff, 0xff]),  // length far outside
            (24, [0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd]),  // twice
        ] as [(Int, [UInt8])])
    func `an entry that points outside or stands twice is malformed`(offset: Int, value: [UInt8]) {
        var bytes = table.encoded
        bytes.replaceSubrange(offset..<offset + value.count, with: value)
        #expect(throws: EvidenceError(.malformed)) { try SNPCertificateTable(parsing: bytes) }
    }

    @Test func `more than the limits is malformed`() {
        let tooLong = [UInt8](repeating: 0, count: SNPCertificateTable.maximumByteCount + 1)
        #expect(throws: EvidenceError(.malformed)) { try SNPCertificateTable(parsing: tooLong) }
        var tooMany: [UInt8] = []
        for index in 0...SNPCertificateTable.maximumEntryCount {
            tooMany += [UInt8(index + 1)] + [UInt8](repeating: 0, count: 15) + [0, 4, 0, 0, 0, 0, 0, 0]
        }
        tooMany += [UInt8](repeating: 0, count: 4096)
        #expect(throws: EvidenceError(.malformed)) { try SNPCertificateTable(parsing: tooMany) }
        tooMany.removeFirst(24)
        #expect(throws: Never.self) { try SNPCertificateTable(parsing: tooMany) }
    }

    @Test func `random changes are malformed or a table that reads back the same`() throws {
        var generator = SplitMix(seed: 7)
        let original = table.encoded
        var accepted = 0
        for _ in 0..<2000 {
            var bytes = original
            for _ in 0..<3 { bytes[Int.random(in: 0..<120, using: &generator)] = .random(in: 0...255, using: &generator) }
            guard let parsed = try? SNPCertificateTable(parsing: bytes) else { continue }
            accepted += 1
            #expect(try SNPCertificateTable(parsing: parsed.encoded) == parsed)
        }
        #expect(accepted > 100)
    }
}

/// A random generator that repeats itself, so that a failure does too.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
