// SPDX-License-Identifier: Apache-2.0
import Foundation
import LUKS
import PinKit
import Testing

/// Headers that a host rewrote: refused by the allow-list, before any pin is asked.
@Suite struct HeaderTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let path: [String]
        let value: JSON?
        let reason: String
        var testDescription: String { reason }

        init(_ path: String..., to value: JSON?, _ reason: String) {
            self.path = path
            self.value = value
            self.reason = reason
        }
    }

    static let cases = [
        Case(
            "segments", "0", "encryption", to: "cipher_null-ecb",
            "segment 0: encryption is cipher_null-ecb, not aes-xts-plain64"),
        Case("segments", "0", "encryption", to: "aes-cbc-essiv:sha256", "segment 0: encryption is aes-cbc-essiv:sha256"),
        Case("segments", "0", "size", to: "4096", "segment 0: size is 4096, not dynamic"),
        Case("segments", "0", "sector_size", to: 1024, "segment 0: sector_size is 1024"),
        Case("segments", "0", "iv_tweak", to: "8", "segment 0: iv_tweak is 8, not 0"),
        Case("segments", "0", "flags", to: ["in-reencryption"], "segment 0: flags are"),
        Case("segments", "0", "colour", to: "blue", "segment 0: unknown member colour"),
        Case("segments", "0", "integrity", to: integrity, "segment 0: unknown member integrity"),
        Case("keyslots", "0", "area", "encryption", to: "cipher_null-ecb", "keyslot 0: area: encryption is cipher_null-ecb"),
        Case("keyslots", "0", "area", "key_size", to: 32, "keyslot 0: area: key_size is 32, not 64"),
        Case("keyslots", "0", "kdf", "hash", to: "sha1", "keyslot 0: kdf: hash is sha1"),
        Case("keyslots", "0", "kdf", "iterations", to: 100_000_001, "keyslot 0: kdf: iterations is 100000001"),
        Case("keyslots", "0", "kdf", "iterations", to: 999, "keyslot 0: kdf: iterations is 999"),
        Case("keyslots", "0", "af", "hash", to: "ripemd160", "keyslot 0: af: hash is ripemd160"),
        Case("keyslots", "0", "af", "extra", to: 1, "keyslot 0: af: unknown member extra"),
        Case("digests", "0", "hash", to: "sha1", "digest 0: hash is sha1"),
        Case("digests", "0", "iterations", to: 4_000_000_000, "digest 0: iterations is 4000000000"),
        Case("config", "flags", to: ["allow-discards"], "config: flags are"),
        Case("config", "requirements", to: ["mandatory": ["something-new"]], "config: requirements are"),
        Case("digests", "1", to: secondDigest, "digests: are 0, 1, not only one"),
    ]

    private static let integrity: JSON = [
        "type": "hmac(sha256)", "journal_encryption": "none", "journal_integrity": "none",
    ]

    private static let secondDigest: JSON = [
        "type": "pbkdf2", "hash": "sha256", "iterations": 1000, "keyslots": [], "segments": [],
        "salt": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "digest": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    ]

    /// One bound volume for all cases: binding is the slow part.
    static let bound = Result { () -> (DiskImage, Owner) in
        let (image, owner) = (try DiskImage(), try Owner())
        try owner.bind(image)
        return (image, owner)
    }

    @Test(arguments: cases) func `a header that is not on the allow-list is refused before a pin is asked`(_ test: Case)
        throws
    {
        let (original, owner) = try HeaderTests.bound.get()
        let image = try original.copy()
        try image.rewriteHeader { $0.set(test.path, to: test.value) }
        let words = refusal { try owner.unlock(image, trust: VolumeTrust(owner: nil, unsigned: true)) }
        #expect(words.contains(test.reason), "\(words)")
        #expect(throws: LUKSError(.refused)) { try owner.unlock(image) }
        #expect(owner.recording.timesAsked == 0)
    }

    @Test func `an untouched copy of the same header opens`() throws {
        let (original, _) = try HeaderTests.bound.get()
        let owner = try Owner()
        let image = try original.copy()
        try image.rewriteHeader { _ in }
        #expect(try owner.unlock(image, trust: HeaderTests.bound.get().1.trust).token == 0)
        #expect(owner.recording.timesAsked == 1)
    }

    @Test func `an argon2 keyslot opens nothing but is allowed within its bounds`() throws {
        let image = try DiskImage(format: [])
        let key = image.folder.appending(path: "key").path
        try "another".write(toFile: key, atomically: true, encoding: .utf8)
        let add = [
            "luksAddKey", "--pbkdf", "argon2id", "--pbkdf-memory", "32", "--pbkdf-force-iterations", "4", "--key-file", "-",
        ]
        try cryptsetup(add + [image.path, key], input: DiskImage.password).expectSuccess()
        _ = try HeaderCopy(of: image.path)
        try image.rewriteHeader { $0.set("keyslots", "1", "kdf", "memory", to: 4_194_304) }
        let words = refusal { _ = try HeaderCopy(of: image.path) }
        #expect(words.contains("keyslot 1: kdf: memory is 4194304, not from 32 to 1048576"), "\(words)")
    }
}

// MARK: - Whole attacks

extension HeaderTests {
    /// CVE-2025-59054 and its kin.
    @Test(arguments: [true, false]) func `a null cipher in every keyslot is refused`(segmentToo: Bool) throws {
        let (original, owner) = try HeaderTests.bound.get()
        let image = try original.copy()
        try image.rewriteHeader { header in
            for keyslot in header["keyslots"]?.object?.names ?? [] {
                header.set("keyslots", keyslot, "area", "encryption", to: "cipher_null-ecb")
                header.set("keyslots", keyslot, "area", "key_size", to: 32)
            }
            if segmentToo { header.set("segments", "0", "encryption", to: "cipher_null-ecb") }
        }
        #expect(throws: LUKSError(.refused)) { try owner.unlock(image) }
        #expect(owner.recording.timesAsked == 0)
    }

    @Test func `a null segment that cryptsetup opens is refused here`() throws {
        let (original, owner) = try HeaderTests.bound.get()
        let image = try original.copy()
        try image.rewriteHeader { $0.set("segments", "0", "encryption", to: "cipher_null-ecb") }
        #expect(
            try image.opens(with: DiskImage.password), "the attack no longer works on cryptsetup: the test proves nothing")
        #expect(throws: LUKSError(.refused)) { try owner.unlock(image) }
        #expect(owner.recording.timesAsked == 0)
    }

    /// The size is 64 bits at offset 8, big-endian: 8 MiB, 128 MiB, and as much as fits into the number.
    @Test(arguments: [(13, 0x80), (12, 0x08), (8, 0xff)]) func `metadata larger than the cap are refused`(
        position: Int, byte: UInt8
    ) throws {
        let image = try DiskImage()
        try image.write([byte], at: position)
        let words = refusal { _ = try HeaderCopy(of: image.path) }
        #expect(words.contains("bytes, more than the 4194304 allowed"), "\(words)")
    }

    @Test func `keyslot areas that overlap are refused`() throws {
        let metadata = try twoKeyslots { $0.set("keyslots", "1", "area", "offset", to: "32768") }
        let words = refusal { _ = try Header(metadata: metadata, uuid: "", areaSize: 16 << 10) }
        #expect(words.contains("its area overlaps that of keyslot"), "\(words)")
    }

    @Test func `a keyslot area outside its region is refused`() throws {
        for (member, value): (String, JSON) in [
            ("offset", "16777216"), ("offset", "16384"), ("offset", "99999999999999999999"), ("offset", "-1"),
            ("offset", "032768"),
            ("size", "16744449"), ("size", "9223372036854775807"), ("size", "1"),
        ] {
            let metadata = try twoKeyslots { $0.set("keyslots", "1", "area", member, to: value) }
            #expect(throws: LUKSError(.refused)) { try Header(metadata: metadata, uuid: "", areaSize: 16 << 10) }
        }
    }

    @Test func `a keyslot region of any size is refused or fits in the copy`() throws {
        for size in ["0", "4096", "33554432", "9223372036854775807", "18446744073709551615", "-4096"] {
            let metadata = try twoKeyslots { $0.set("config", "keyslots_size", to: .string(size)) }
            #expect(throws: LUKSError(.refused)) { try Header(metadata: metadata, uuid: "", areaSize: 16 << 10) }
        }
    }

    @Test func `a keyslot without the volume's key is refused`() throws {
        let metadata = try twoKeyslots { $0.set("digests", "0", "keyslots", to: ["0"]) }
        let words = refusal { _ = try Header(metadata: metadata, uuid: "", areaSize: 16 << 10) }
        #expect(words.contains("digest 0: keyslots are 0, not all: 0, 1"), "\(words)")
    }

    private func twoKeyslots(_ change: (inout JSON) -> Void) throws -> JSON {
        var metadata = try HeaderTests.bound.get().0.metadata()
        _ = try Header(metadata: metadata, uuid: "", areaSize: 16 << 10)
        change(&metadata)
        return metadata
    }
}
