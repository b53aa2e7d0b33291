// SPDX-License-Identifier: Apache-2.0
import Foundation
import LUKS
import PinKit
import Testing

/// The owner's signature: nothing that a host can write makes a foreign binding pass, and no pin is asked before.
@Suite struct SignatureTests {
    let owner: Owner
    let image: DiskImage

    init() throws {
        owner = try Owner()
        image = try DiskImage()
        try owner.bind(image)
    }

    private func expectRefused(
        _ code: LUKSError.Code = .refused, _ words: String = "signature", sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let said = refusal { try owner.unlock(image) }
        #expect(said.contains("\(code.rawValue): ") && said.contains(words), "\(said)", sourceLocation: sourceLocation)
        #expect(owner.recording.timesAsked == 0, sourceLocation: sourceLocation)
    }

    @Test func `a stripped signature is refused`() throws {
        try image.rewriteHeader { $0.set("tokens", "0", "cvm-clevis", to: nil) }
        expectRefused(.refused, "signature: the binding has none")
    }

    @Test func `an unsigned binding opens where the boot configuration allows it`() throws {
        try image.rewriteHeader { $0.set("tokens", "0", "cvm-clevis", to: nil) }
        #expect(try owner.unlock(image, trust: VolumeTrust(owner: owner.key.publicKey, unsigned: true)).token == 0)
    }

    @Test func `a wrong signature is refused even where unsigned bindings are allowed`() throws {
        let other = try SigningKey.generate()
        let trust = VolumeTrust(owner: other.publicKey, unsigned: true)
        #expect(throws: LUKSError(.refused)) { try owner.unlock(image, trust: trust) }
        #expect(throws: LUKSError(.refused)) { try owner.unlock(image, trust: VolumeTrust(owner: nil, unsigned: true)) }
        #expect(owner.recording.timesAsked == 0)
    }

    @Test func `each byte of the token is covered`() throws {
        let header = try HeaderCopy(of: image.path).header
        let text = Array(try #require(header.tokens[0]).canonical.utf8)
        let trust = owner.trust
        try trust.check(image.token(0), in: header, registry: owner.registry)
        var accepted: [Int] = []
        for index in text.indices {
            for change: UInt8 in [0x01, 0x02, 0x20] {
                var tampered = text
                tampered[index] ^= change
                guard let json = try? JSON(parsing: tampered), let token = try? ClevisToken(json) else { continue }
                if (try? trust.check(token, in: header, registry: owner.registry)) != nil { accepted.append(index) }
            }
        }
        #expect(accepted == [])
    }

    @Test func `another owner's binding of a volume with the same UUID is refused`() throws {
        let stranger = try Owner()
        let uuid = try image.volume.uuid()
        let foreign = try DiskImage(format: ["--uuid", uuid])
        try stranger.bind(foreign)
        let trust = VolumeTrust(owner: owner.key.publicKey, name: "root", uuid: uuid, pins: ["recording"])
        let words = refusal { try owner.unlock(foreign, trust: trust) }
        #expect(words.contains("signature: is not that of the owner \(owner.key.publicKey.thumbprint)"), "\(words)")
        #expect(owner.recording.timesAsked == 0)
    }

    @Test func `a digest of another volume key is refused`() throws {
        let other = try DiskImage().metadata()["digests"]?["0"]
        for member in ["salt", "digest"] {
            let value = other?[member]
            try image.rewriteHeader { $0.set("digests", "0", member, to: value) }
        }
        expectRefused()
    }

    @Test func `a changed key derivation of the keyslot is refused`() throws {
        try image.rewriteHeader { $0.set("keyslots", "1", "kdf", "iterations", to: 1001) }
        expectRefused()
    }

    @Test func `a keyslot moved elsewhere is refused`() throws {
        try image.rewriteHeader { $0.set("keyslots", "1", "area", "offset", to: "548864") }
        expectRefused()
    }

    @Test func `another sector size is refused`() throws {
        try image.rewriteHeader { header in
            let other: JSON = header["segments"]?["0"]?["sector_size"] == 512 ? 4096 : 512
            header.set("segments", "0", "sector_size", to: other)
        }
        expectRefused()
    }

    @Test func `a token pointed at another keyslot is refused`() throws {
        try image.rewriteHeader { $0.set("tokens", "0", "keyslots", to: ["0"]) }
        expectRefused()
    }

    @Test func `the token carried to another volume of the same owner is refused`() throws {
        let other = try DiskImage()
        try owner.bind(other)
        let token = try image.metadata()["tokens"]?["0"]
        try other.rewriteHeader { $0.set("tokens", "0", to: token) }
        #expect(throws: LUKSError(.refused)) { try owner.unlock(other) }
        #expect(owner.recording.timesAsked == 0)
    }

    @Test func `a keyslot that a user adds later does not touch the signature`() throws {
        let key = image.folder.appending(path: "key").path
        try "another".write(toFile: key, atomically: true, encoding: .utf8)
        let add = ["luksAddKey", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "-"]
        try cryptsetup(add + [image.path, key], input: DiskImage.password).expectSuccess()
        #expect(try owner.unlock(image).keyslot == 1)
    }
}

// MARK: - The boot configuration's demands

extension SignatureTests {
    @Test func `a binding for another volume is refused`() throws {
        let trust = VolumeTrust(owner: owner.key.publicKey, name: "data")
        let words = refusal { try owner.unlock(image, trust: trust) }
        #expect(words.contains("boot configuration: the binding is for volume root, not data"), "\(words)")
        #expect(owner.recording.timesAsked == 0)
    }

    @Test func `a volume of another UUID is refused`() throws {
        let trust = VolumeTrust(owner: owner.key.publicKey, uuid: "00000000-0000-4000-8000-000000000000")
        let words = refusal { try owner.unlock(image, trust: trust) }
        #expect(words.contains("boot configuration: the volume's UUID is"), "\(words)")
        #expect(owner.recording.timesAsked == 0)
    }

    @Test func `a pin that is not allowed is refused wherever it stands in the policy`() throws {
        let nested: JSON = ["t": 1, "pins": ["recording": [:], "sss": ["t": 1, "pins": ["null": [:]]]]]
        let image = try DiskImage()
        try owner.bind(image, "sss", nested)
        let trust = VolumeTrust(owner: owner.key.publicKey, pins: ["sss", "recording"])
        let words = refusal { try owner.unlock(image, trust: trust) }
        #expect(words.contains("pin null is not among those allowed: sss, recording"), "\(words)")
        #expect(owner.recording.timesAsked == 0)
        let allowing = VolumeTrust(owner: owner.key.publicKey, pins: ["sss", "recording", "null"])
        #expect(try owner.unlock(image, trust: allowing).policy.description == "sss(1 of: recording, sss(1 of: null))")
    }
}
