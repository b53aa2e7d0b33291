// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

@testable import LUKS

@Suite struct KeyMaterialTests {
    let image: DiskImage
    var passphrase: SecretBytes { SecretBytes(DiskImage.password) }

    /// Keyslot 0 is cryptsetup's own, made as ours are.
    init() throws { image = try DiskImage() }

    private func volumeKey() throws -> SecretBytes {
        try CryptDevice(header: image.path, place: image.path).volumeKey(0, with: passphrase)
    }

    private func material() throws -> KeyMaterial? {
        let file = try VolumeFile(image.path)
        let keyslot = try #require(try Header(reading: file).keyslots[0])
        return try KeyMaterial(of: keyslot, on: file)
    }

    @Test func `what libcryptsetup wrote gives the key that libcryptsetup reads`() throws {
        let key = try volumeKey()
        let isSame = try #require(try material()).gives(key, for: passphrase)
        #expect(isSame)
    }

    @Test func `another passphrase gives another key`() throws {
        let key = try volumeKey()
        let isSame = try #require(try material()).gives(key, for: SecretBytes("not the passphrase"))
        #expect(!isSame)
    }

    @Test(arguments: [0, 511, 128_000, 255_999])
    func `a bit that did not reach the disk is noticed`(offset: Int) throws {
        let key = try volumeKey()
        let start = try #require(try Header(reading: image.path).keyslots[0]).range.lowerBound + offset
        try image.write([try image.bytes(start..<start + 1)[0] ^ 1], at: start)
        let isSame = try #require(try material()).gives(key, for: passphrase)
        #expect(!isSame)
    }

    @Test(arguments: [
        ["--hash", "sha512"],
        ["--pbkdf", "argon2id", "--pbkdf-force-iterations", "4", "--pbkdf-memory", "32768", "--pbkdf-parallel", "1"],
    ])
    func `a keyslot of another kind is left to libcryptsetup`(format: [String]) throws {
        let image = try DiskImage(format: format)
        let file = try VolumeFile(image.path)
        let keyslot = try #require(try Header(reading: file).keyslots[0])
        let material = try KeyMaterial(of: keyslot, on: file)
        #expect(material == nil)
    }
}
