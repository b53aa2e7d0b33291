// SPDX-License-Identifier: Apache-2.0
import LUKS
import PinKit
import Testing

/// Metadata that are read without libcryptsetup, beside what libcryptsetup makes of the same bytes.
@Suite struct MetadataTests {
    let image: DiskImage

    init() throws {
        image = try DiskImage()
        try Owner().bind(image)
    }

    private func token(of header: Header) -> JSON? { header.tokens[9]?["from"] }

    /// Which copy's token 9 each of the two readers sees; both must agree.
    private func seen() throws -> JSON? {
        let copy = try HeaderCopy(of: image.path)
        let (ours, theirs) = (try Header(reading: image.path), copy.header)
        #expect(ours.uuid == theirs.uuid && ours.segment == theirs.segment && ours.digest == theirs.digest)
        #expect(ours.tokens == theirs.tokens && ours.jsonUsed == theirs.jsonUsed && ours.jsonSize == theirs.jsonSize)
        #expect(ours.keyslots.mapValues(\.area) == theirs.keyslots.mapValues(\.area))
        return token(of: ours)
    }

    private func mark(_ name: String, onlySecond: Bool, sequence: UInt8) throws {
        try image.rewriteHeader(onlySecond: onlySecond, sequence: sequence) {
            $0.set("tokens", "9", to: ["type": "test", "keyslots": [], "from": .string(name)])
        }
    }

    @Test func `both readers see the same header`() throws {
        #expect(try seen() == nil)
        #expect(try Header(reading: image.path).tokens[0] != nil)
    }

    @Test func `the copy with the higher sequence number counts, and the first of equals`() throws {
        try mark("both", onlySecond: false, sequence: 100)
        try mark("second", onlySecond: true, sequence: 100)
        #expect(try seen() == "both")
        try mark("second", onlySecond: true, sequence: 99)
        #expect(try seen() == "both")
        try mark("second", onlySecond: true, sequence: 101)
        #expect(try seen() == "second")
    }

    /// Magic, version, size, offset, checksum, JSON: of the first copy, so that the second counts, though it is older.
    @Test(arguments: [0, 6, 9, 259, 80, 450, 300, 5000, 16_383]) func `a damaged copy gives way to the other`(
        position: Int
    ) throws {
        try mark("both", onlySecond: false, sequence: 100)
        try mark("second", onlySecond: true, sequence: 99)
        let byte = try image.bytes(position..<position + 1)[0]
        try image.write([byte ^ 0x40], at: position)
        guard ![6, 9].contains(position) else {
            // Then the first copy is what says where the second is, and neither reader looks for it.
            #expect(throws: LUKSError.self) { try Header(reading: image.path) }
            #expect(throws: LUKSError.self) { try HeaderCopy(of: image.path).header }
            return
        }
        #expect(try seen() == "second")
    }

    @Test func `two damaged copies are malformed`() throws {
        for position in [5000, 5000 + (16 << 10)] { try image.write([0xff], at: position) }
        #expect(throws: LUKSError(.malformed)) { try Header(reading: image.path) }
        #expect(throws: LUKSError(.malformed)) { try HeaderCopy(of: image.path).header }
    }

    @Test func `what the allow-list refuses is refused without libcryptsetup too`() throws {
        try image.rewriteHeader { $0.set("segments", "0", "encryption", to: "cipher_null-ecb") }
        let words = refusal { _ = try Header(reading: image.path) }
        #expect(words.contains("\(image.path): refused: header: segment 0: encryption is cipher_null-ecb"), "\(words)")
    }
}
