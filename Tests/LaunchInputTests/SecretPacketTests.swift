// SPDX-License-Identifier: Apache-2.0
import LaunchInput
import PinKit
import TEE
import Testing

/// The figures come from an implementation of the SEV API in another language (Tests/LaunchOracle/launch.py has one).
struct SecretPacketTests {
    private static let measure =
        "689b9f78699a6d64e35f9e126bd6faf728918894f7634ad474c3a9aaf542c793808182838485868788898a8b8c8d8e8f"
    private static let header =
        "00000000a0a1a2a3a4a5a6a7a8a9aaabacadaeafc136e9ab9900e658dd1b364cdac519ef508b376dcad263ac25bf27002bb95092"
    private static let payload =
        "1ceda5e02b6c6e33569dd195b35886b44ac2bfdcaad9629b51e1b8f3b5ec2bf8e123eee04ecdb5fe5c579a2b3b94a5304f4d8767c604b9c0"
        + "9b3379d15a242b5fe3a5ec2a8ba40bd332fb807c61c8fa9d"

    private static func keys() throws -> SessionKeys {
        try SessionKeys(
            tek: SecretBytes(copyingPublic: Array(0..<16)), tik: SecretBytes(copyingPublic: Array(16..<32)))
    }

    private static func expected(
        digest: [UInt8] = Array(0..<32), policy: UInt32 = 3, version: String = "0.24.15"
    ) throws -> ExpectedLaunch {
        try ExpectedLaunch(digest: digest, policy: policy, firmware: #require(SEVFirmwareVersion(version)))
    }

    private static func packet(
        for measure: [UInt8], of expected: ExpectedLaunch, iv: [UInt8]? = nil
    ) throws -> SecretPacket {
        var table = SecretTable()
        let guid = try #require(SecretGUID("0a1b2c3d-0000-4000-8000-0123456789ab"))
        try table.add(guid, SecretBytes(copyingPublic: [UInt8](repeating: 0x55, count: 32)))
        guard let iv else { return try SecretPacket(table, for: LaunchMeasure(measure), of: expected, keys()) }
        return try SecretPacket(table, for: LaunchMeasure(measure), of: expected, keys(), fixedIV: iv)
    }

    private static func bytes(_ text: String) throws -> [UInt8] { try #require(Hex.decode(text)) }

    @Test func `a packet with a known iv is the specification's, bit for bit`() throws {
        let packet = try Self.packet(for: Self.bytes(Self.measure), of: Self.expected(), iv: Array(0xa0..<0xb0))
        #expect(Hex.encode(packet.header) == Self.header)
        #expect(Hex.encode(packet.payload) == Self.payload)
    }

    @Test func `no two packets have one iv`() throws {
        let packets = try (0..<20).map { _ in try Self.packet(for: Self.bytes(Self.measure), of: Self.expected()) }
        #expect(Set(packets.map { Array($0.header[4..<20]) }).count == 20)
        #expect(packets.allSatisfy { $0.header.count == 52 && $0.payload.count == 80 })
    }

    @Test(arguments: 0..<48) func `a measure of which any byte is another is refused`(index: Int) throws {
        var measure = try Self.bytes(Self.measure)
        measure[index] ^= 0x80
        #expect(throws: PinError(.refused)) { try Self.packet(for: measure, of: Self.expected()) }
    }

    @Test func `a launch that is not the expected one is refused`() throws {
        let others = [
            try Self.expected(digest: [UInt8](repeating: 0, count: 32)), try Self.expected(policy: 2),
            try Self.expected(version: "1.24.15"), try Self.expected(version: "0.25.15"),
            try Self.expected(version: "0.24.16"),
        ]
        for other in others {
            #expect(throws: PinError(.refused)) { try Self.packet(for: Self.bytes(Self.measure), of: other) }
        }
    }

    @Test(arguments: [0, 47, 49, 96]) func `a measure of another length is malformed`(count: Int) {
        #expect(throws: PinError(.malformed)) { try LaunchMeasure([UInt8](repeating: 0, count: count)) }
    }

    @Test(arguments: ["", "0.24", "0.24.15.1", "0.24.256", "0.-1.15", "a.b.c", "0..15"])
    func `a version is three numbers of a byte`(text: String) { #expect(SEVFirmwareVersion(text) == nil) }

    @Test func `an area takes 3072 bytes and no more`() throws {
        var full = SecretTable()
        try full.add(.random(), SecretBytes(copyingPublic: [UInt8](repeating: 1, count: 3032)))
        #expect(throws: PinError(.malformed)) { try full.add(.random(), SecretBytes(copyingPublic: [1])) }
        var large = SecretTable()
        #expect(throws: PinError(.malformed)) {
            try large.add(.random(), SecretBytes(copyingPublic: [UInt8](repeating: 1, count: 3033)))
        }
    }

    @Test func `an area has no empty entry and none twice`() throws {
        var table = SecretTable()
        #expect(throws: PinError(.malformed)) { try table.add(.diskPassphrase, SecretBytes(copyingPublic: [])) }
        try table.add(.diskPassphrase, SecretBytes(copyingPublic: [1]))
        #expect(throws: PinError(.malformed)) { try table.add(.diskPassphrase, SecretBytes(copyingPublic: [2])) }
        let header = try #require(SecretGUID("1e74f542-71dd-4d66-963e-ef4287ff173b"))
        #expect(throws: PinError(.malformed)) { try table.add(header, SecretBytes(copyingPublic: [1])) }
    }

    @Test(arguments: [0, 15, 17, 32]) func `session keys have 16 bytes`(count: Int) {
        #expect(throws: PinError(.malformed)) {
            _ = try SessionKeys(tek: .random(count: 16), tik: .random(count: count))
        }
        #expect(throws: PinError(.malformed)) {
            _ = try SessionKeys(tek: .random(count: count), tik: .random(count: 16))
        }
    }
}
