// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import LaunchInput
import PinKit
import TEE
import Testing

struct IDBlockTests {
    private static let block = IDBlock(
        measurement: Array(0..<48), familyID: Array(100..<116), imageID: Array(200..<216), guestSVN: 0x0102_0304,
        policy: [.smt, .reservedOne])

    /// A fresh private key in PEM, made without the code that is under test.
    private static func pem(on group: StaticString = "P-384") throws -> SecretBytes {
        var start: UnsafeMutablePointer<CChar>?
        guard let key = unsafe Self.generate(group), let bio = unsafe BIO_new(BIO_s_mem()) else { throw NoKey() }
        defer {
            unsafe EVP_PKEY_free(key)
            unsafe BIO_free(bio)
        }
        guard unsafe PEM_write_bio_PrivateKey(bio, key, nil, nil, 0, nil, nil) == 1 else { throw NoKey() }
        let count = unsafe cvm_bio_data(bio, &start)
        return unsafe SecretBytes(copying: UnsafeRawBufferPointer(start: start, count: count))
    }

    private struct NoKey: Error {}

    private static func generate(_ group: StaticString) -> OpaquePointer? {
        "\(group)" == "P-384" ? unsafe cvm_generate_p384() : unsafe cvm_generate_p256()
    }

    private static func key() throws -> P384Key { try P384Key(pem: pem()) }

    @Test func `a block has its fields where the ABI has them`() throws {
        let bytes = Self.block.bytes
        #expect(bytes[..<48] == ArraySlice(0..<48))
        #expect(Array(bytes[0x30..<0x50]) == Array(100..<116) + Array(200..<216))
        #expect(Array(bytes[0x50...]) == [1, 0, 0, 0, 4, 3, 2, 1, 0, 0, 3, 0, 0, 0, 0, 0])
        #expect(try IDBlock(bytes) == Self.block)
    }

    @Test(arguments: [0, 95, 97, 4096]) func `a block of another length is malformed`(count: Int) {
        #expect(throws: EvidenceError(.malformed)) { try IDBlock([UInt8](repeating: 1, count: count)) }
    }

    @Test func `a block of another version is malformed`() {
        var bytes = Self.block.bytes
        bytes[0x50] = 2
        #expect(throws: EvidenceError(.malformed)) { try IDBlock(bytes) }
    }

    @Test func `what was signed verifies, with an author and without`() throws {
        let (idKey, author) = (try Self.key(), try Self.key())
        for author in [author, nil] {
            let made = try IDAuthentication(Self.block, idKey: idKey, author: author)
            #expect(made.bytes.count == 4096)
            #expect(try IDAuthentication(made.bytes, of: Self.block) == made)
            #expect(made.idKeyDigest == Digest.sha384(idKey.publicKey.field))
            #expect(made.authorKeyDigest == author.map { Digest.sha384($0.publicKey.field) })
        }
    }

    @Test func `any byte of a key or a signature that is another is noticed`() throws {
        let made = try IDAuthentication(Self.block, idKey: Self.key(), author: Self.key())
        let fields = [0..<8, 0x40..<0xd0, 0x240..<0x2d4, 0x643..<0x644, 0x680..<0x710, 0x880..<0x914, 0xc83..<0xc84]
        for index in fields.joined() {
            var bytes = made.bytes
            bytes[index] ^= 0x04
            #expect(throws: EvidenceError.self, "byte \(index)") { try IDAuthentication(bytes, of: Self.block) }
        }
    }

    @Test func `another block is refused`() throws {
        let made = try IDAuthentication(Self.block, idKey: Self.key(), author: nil)
        var other = Self.block
        other.guestSVN -= 1
        #expect(throws: EvidenceError(.refused)) { try IDAuthentication(made.bytes, of: other) }
    }

    @Test(arguments: [0, 1, 0x643, 4095, 4097]) func `authentication of another length is malformed`(count: Int) {
        #expect(throws: EvidenceError(.malformed)) {
            try IDAuthentication([UInt8](repeating: 1, count: count), of: Self.block)
        }
    }

    @Test func `nothing but zeros is malformed`() {
        #expect(throws: EvidenceError(.malformed)) {
            try IDAuthentication([UInt8](repeating: 0, count: 4096), of: Self.block)
        }
    }

    @Test func `a key on another curve, and text that is none, are malformed`() throws {
        let other = try Self.pem(on: "P-256")
        #expect(throws: PinError(.malformed)) { try P384Key(pem: other) }
        #expect(throws: PinError(.malformed)) { try P384Key(pem: SecretBytes(copyingPublic: Array("no key".utf8))) }
        #expect(throws: PinError(.malformed)) { try P384Key(pem: SecretBytes(copyingPublic: [])) }
    }
}
