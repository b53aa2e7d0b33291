// SPDX-License-Identifier: Apache-2.0
import FileIO
import Foundation
import LUKS
import PinKit
import Testing

@Suite struct ReplaceTests {
    let owner: Owner
    /// With the owner's passphrase in keyslot 0 and two bindings, in keyslots 1 and 2.
    let image: DiskImage

    init() throws {
        owner = try Owner()
        image = try DiskImage()
        for _ in 0..<2 { try owner.bind(image, "null") }
    }

    private func bindings() throws -> [BindingRecord] {
        try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey)
    }

    @discardableResult
    private func replace(
        _ keyslot: Int, holding message: JWE? = nil, with new: NewBinding, passphrase: String = DiskImage.password
    ) throws -> BoundVolume {
        let found = try bindings().first { $0.keyslots == [keyslot] }?.message
        return try image.volume.replace(
            .keyslot(keyslot), holding: #require(message ?? found), with: new, passphrase: SecretBytes(passphrase))
    }

    @Test func `a binding is replaced at its keyslot and token, and the old passphrase is gone`() throws {
        let before = try bindings()
        let old = try image.volume.passphrase(
            of: .keyslot(1), trust: owner.trust, registry: owner.registry, deadline: .after(seconds: 5))
        let bound = try replace(1, with: owner.newBinding("recording", check: .opens(seconds: 5)))
        #expect(bound.keyslot == 1 && bound.token == 0 && bound.wasOpened)
        let after = try bindings()
        #expect(after.map(\.keyslots) == [[1], [2]] && after.map(\.token) == [0, 1])
        #expect(after.map(\.standing) == [.verified, .verified])
        #expect(after[0].message?.pin == "recording" && after[1].message == before[1].message)
        #expect(after[0].seal?.id != before[0].seal?.id)
        #expect(try image.metadata()["keyslots"]?.object?.names.sorted() == ["0", "1", "2"])
        #expect(throws: LUKSError(.wrongPassphrase)) { try image.volume.bind(owner.newBinding(), passphrase: old) }
        #expect(try image.opens(with: DiskImage.password, keyslot: 0))
    }

    @Test func `the replaced binding may be what opens the volume`() throws {
        let old = try image.volume.passphrase(
            of: .keyslot(2), trust: owner.trust, registry: owner.registry, deadline: .after(seconds: 5))
        let message = try #require(try bindings()[1].message)
        _ = try image.volume.replace(
            .keyslot(2), holding: message, with: owner.newBinding("null"), passphrase: old)
        #expect(try bindings().map(\.keyslots) == [[1], [2]])
        try owner.unlock(image)
    }

    @Test func `a binding by stock clevis stays one: without a seal`() throws {
        let stock = try owner.bind(image, "null", signed: false)
        let registry = owner.registry
        let binding = try Binding(issuedAt: 1, owner: owner.key, registry: registry)
        let new = NewBinding(
            encryptor: try registry.encryptor(named: "null", for: [:], in: binding), binding: binding, name: "root",
            isSealed: false)
        #expect(try replace(stock.keyslot, with: new).token == stock.token)
        #expect(try image.metadata()["tokens"]?["\(stock.token)"]?["cvm-clevis"] == nil)
        #expect(try bindings().last?.standing == .unsigned)
    }

    @Test func `nothing changes where it cannot be done`() throws {
        let before = try image.digest()
        #expect(throws: LUKSError(.wrongPassphrase)) {
            try replace(1, with: owner.newBinding("null"), passphrase: "not the passphrase")
        }
        #expect(throws: LUKSError(.refused)) {
            try replace(1, with: owner.newBinding("null", ["fail": true], check: .opens(seconds: 5)))
        }
        let message = try bindings()[0].message
        #expect(throws: LUKSError(.busy)) { try replace(2, holding: message, with: owner.newBinding("null")) }
        #expect(throws: LUKSError(.notBound)) { try replace(0, holding: message, with: owner.newBinding("null")) }
        #expect(try image.digest() == before)
    }

    @Test func `a header that is nearly full has room for the same again, and no more`() throws {
        for keyslot in [1, 2] { try image.volume.unbind(.keyslot(keyslot)) }
        let large = try owner.newBinding("recording", instance: String(repeating: "i", count: 9400))
        _ = try image.volume.bind(large, passphrase: SecretBytes(DiskImage.password))
        #expect(try replace(1, with: large).keyslot == 1)
        try owner.unlock(image)
        let before = try image.digest()
        let larger = try owner.newBinding("recording", instance: String(repeating: "i", count: 10900))
        #expect(throws: LUKSError(.noRoom)) { try replace(1, with: larger) }
        #expect(try image.digest() == before)
    }

    @Test func `a repair takes only keyslots that no binding has`() throws {
        let pending: JSON = ["type": "cvm-clevis-pending", "keyslots": ["1", "2"]]
        try image.rewriteHeader {
            $0.set("tokens", "1", to: nil)
            $0.set("tokens", "5", to: pending)
        }
        let left = try image.volume.repair()
        #expect(left.map(\.token) == [5] && left.map(\.keyslots) == [[2]])
        #expect(try bindings().map(\.standing) == [.verified])
        #expect(try image.metadata()["keyslots"]?.object?.names.sorted() == ["0", "1"])
        #expect(try image.metadata()["tokens"]?.object?.names == ["0"])
    }

    @Test func `a repair never takes the only keyslot`() throws {
        for keyslot in [1, 2] { try image.volume.unbind(.keyslot(keyslot)) }
        let pending: JSON = ["type": "cvm-clevis-pending", "keyslots": ["0"]]
        try image.rewriteHeader { $0.set("tokens", "5", to: pending) }
        let before = try image.digest()
        #expect(throws: LUKSError(.lastKeyslot)) { try image.volume.repair() }
        #expect(try image.digest() == before)
    }
}

/// The token's member `config`.
@Suite struct ConfigTests {
    let owner: Owner
    let image: DiskImage

    init() throws {
        owner = try Owner()
        image = try DiskImage()
    }

    private func bind(config: JSONObject, signed: Bool = true) throws {
        let binding = try Binding(issuedAt: 1, owner: signed ? owner.key : nil, registry: owner.registry)
        let new = NewBinding(
            encryptor: try owner.registry.encryptor(named: "null", for: [:], in: binding), binding: binding, name: "root",
            config: config)
        _ = try image.volume.bind(new, passphrase: SecretBytes(DiskImage.password))
    }

    private func record() throws -> BindingRecord {
        try #require(try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey).first)
    }

    @Test func `it is read back, and the signature covers it`() throws {
        let config: JSONObject = ["members": ["": ["pcr_digest": "AAAA"]]]
        try bind(config: config)
        #expect(try record().config == config && record().standing == .verified)
        try owner.unlock(image)
        try image.rewriteHeader { $0.set("tokens", "0", "cvm-clevis", "config", "members", to: [:]) }
        #expect(try record().standing == .bad)
        #expect(throws: LUKSError(.refused)) { try owner.unlock(image) }
        try image.rewriteHeader { $0.set("tokens", "0", "cvm-clevis", "config", to: nil) }
        #expect(try record().standing == .bad)
    }

    @Test func `a binding without an owner has it, and is still one without a signature`() throws {
        try bind(config: ["members": ["": ["pcr_digest": "AAAA"]]], signed: false)
        #expect(try record().standing == .unsigned && record().config != nil)
        #expect(throws: LUKSError(.refused)) { try owner.unlock(image) }
        try owner.unlock(image, trust: VolumeTrust(owner: owner.key.publicKey, unsigned: true))
    }

    @Test func `a seal of which a part was taken away is no missing seal`() throws {
        try bind(config: [:])
        try image.rewriteHeader { $0.set("tokens", "0", "cvm-clevis", "signature", to: nil) }
        #expect(try record().standing == .unreadable)
        #expect(throws: LUKSError(.malformed)) {
            try owner.unlock(image, trust: VolumeTrust(owner: owner.key.publicKey, unsigned: true))
        }
    }
}

@Suite struct SignTests {
    let owner: Owner
    let image: DiskImage

    init() throws {
        owner = try Owner()
        image = try DiskImage()
        try owner.bind(image, "null")
    }

    private func record() throws -> BindingRecord {
        try #require(try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey).first)
    }

    private func sign(_ check: NewBinding.Check = .opens(seconds: 5)) throws -> Bool {
        let old = try record()
        let seal = ClevisToken.Seal(issuedAt: 2, id: try #require(old.seal?.id), name: "root", instance: nil)
        let resealing = Resealing(
            message: try #require(old.message), statement: try image.volume.statement(.token(0), seal), check: check)
        return try image.volume.sign(.token(0), seal, resealing, by: owner.key, registry: owner.registry)
    }

    @Test func `what cryptsetup changed is signed again, and nothing else is written`() throws {
        try cryptsetup(["config", "--label", "x", image.path]).expectSuccess()
        // A keyslot with another salt, as a reencryption leaves it.
        let secret = try image.volume.passphrase(
            of: .token(0), trust: owner.trust, registry: owner.registry, deadline: .after(seconds: 5))
        let text = unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
        let file = image.folder.appending(path: "key").path
        try FileIO.create(file, Array(text.utf8), mode: 0o600)
        try cryptsetup([
            "luksChangeKey", "--batch-mode", "--key-slot", "1", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000",
            "--key-file", file, image.path, file,
        ]).expectSuccess()
        #expect(try record().standing == .bad)
        let before = try image.metadata()
        #expect(try sign() == true)
        #expect(try record().standing == .verified && record().seal?.issuedAt == 2)
        var after = try image.metadata()
        after.set("tokens", to: before["tokens"])
        #expect(after == before)
        try owner.unlock(image)
    }

    @Test func `a policy that does not open its keyslot is not signed`() throws {
        let stranger = try JWE(flattened: #require(try foreign().metadata()["tokens"]?["0"]?["jwe"]))
        try image.rewriteHeader { $0.set("tokens", "0", "jwe", to: stranger.flattened) }
        let before = try image.digest()
        #expect(throws: LUKSError(.refused)) { try sign() }
        #expect(throws: LUKSError(.refused)) { try sign(.opensIfPossible(seconds: 5)) }
        #expect(try image.digest() == before)
    }

    private func foreign() throws -> DiskImage {
        let foreign = try DiskImage()
        try owner.bind(foreign, "null")
        return foreign
    }

    @Test func `what is signed is what the owner has seen`() throws {
        let old = try record()
        let seal = ClevisToken.Seal(issuedAt: 2, id: try #require(old.seal?.id), name: "root", instance: nil)
        let seen = Resealing(message: try #require(old.message), statement: try image.volume.statement(.token(0), seal))
        try image.rewriteHeader { $0.set("tokens", "0", "cvm-clevis", "config", to: ["members": [:]]) }
        let before = try image.digest()
        #expect(throws: LUKSError(.busy)) {
            try image.volume.sign(.token(0), seal, seen, by: owner.key, registry: owner.registry)
        }
        #expect(try image.digest() == before)
    }
}
