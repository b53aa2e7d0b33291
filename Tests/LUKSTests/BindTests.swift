// SPDX-License-Identifier: Apache-2.0
import Dispatch
import LUKS
import NullPin
import PinKit
import Synchronization
import Testing

@Suite struct BindTests {
    let owner: Owner

    init() throws { owner = try Owner() }

    @Test func `a wrong passphrase changes nothing`() throws {
        let image = try DiskImage()
        let before = try image.digest()
        #expect(throws: LUKSError(.wrongPassphrase)) {
            try image.volume.bind(owner.newBinding(), passphrase: SecretBytes("not the passphrase"))
        }
        #expect(try image.digest() == before)
    }

    @Test func `a message that does not open changes nothing`() throws {
        let image = try DiskImage()
        let before = try image.digest()
        let check = NewBinding.Check.opensIfPossible(seconds: 5)
        #expect(throws: LUKSError(.refused)) { try owner.bind(image, "null", ["fail": true], check: check) }
        #expect(try image.digest() == before)
    }

    @Test func `a message that only a guest can open is taken unless it must open here`() throws {
        let image = try DiskImage()
        let registry = PinRegistry([DistantPin()])
        let binding = try Binding(issuedAt: 1, owner: owner.key, registry: registry)
        let encryptor = try registry.encryptor(named: "null", for: [:], in: binding)
        func bind(_ check: NewBinding.Check) throws -> BoundVolume {
            let new = NewBinding(encryptor: encryptor, binding: binding, name: "root", check: check)
            return try image.volume.bind(new, passphrase: SecretBytes(DiskImage.password))
        }
        let before = try image.digest()
        #expect(throws: LUKSError(.unavailable)) { try bind(.opens(seconds: 5)) }
        #expect(try image.digest() == before)
        #expect(try bind(.opensIfPossible(seconds: 5)).wasOpened == false)
    }

    @Test(arguments: [
        (["recording"], "pin null is not among those allowed: recording"),
        (["null"], "pin null is not to be asked in the mode, or by the selectors, of this binding"),
    ])
    func `what the guest's boot configuration refuses is not bound`(pins: [String], reason: String) throws {
        let image = try DiskImage()
        let before = try image.digest()
        let new = try owner.newBinding()
        let words = refusal {
            let demanding = NewBinding(
                encryptor: ModedEncryptor(), binding: new.binding, name: "root", check: .skipped,
                demands: VolumeTrust(owner: owner.key.publicKey, pins: pins))
            _ = try image.volume.bind(demanding, passphrase: SecretBytes(DiskImage.password))
        }
        #expect(words.hasSuffix(reason), "\(words)")
        #expect(try image.digest() == before)
    }

    @Test func `what it allows is bound, and opens`() throws {
        let image = try DiskImage()
        let new = try owner.newBinding()
        let trust = VolumeTrust(
            owner: owner.key.publicKey, pins: ["null"], modes: try ModedEncryptor.modes)
        let allowed = NewBinding(
            encryptor: ModedEncryptor(), binding: new.binding, name: "root", check: .skipped, demands: trust)
        _ = try image.volume.bind(allowed, passphrase: SecretBytes(DiskImage.password))
        #expect(try owner.unlock(image, trust: trust).keyslot == 1)
    }

    private func place(_ image: DiskImage, keyslot: Int? = nil, token: Int? = nil) throws -> BoundVolume {
        let new = try owner.newBinding()
        let placed = NewBinding(
            encryptor: new.encryptor, binding: new.binding, name: new.name, check: .skipped,
            placement: NewBinding.Placement(keyslot: keyslot, token: token))
        return try image.volume.bind(placed, passphrase: SecretBytes(DiskImage.password))
    }

    @Test func `keyslot and token go where they are asked to, and a place in use is not touched`() throws {
        let image = try DiskImage()
        let bound = try place(image, keyslot: 5, token: 7)
        #expect(bound.keyslot == 5 && bound.token == 7)
        #expect(try image.token(7).keyslots == [5])
        #expect(try owner.unlock(image).keyslot == 5)
        let before = try image.digest()
        #expect(refusal { _ = try place(image, keyslot: 5) }.hasSuffix("no room: bind: keyslot 5 is in use"))
        #expect(refusal { _ = try place(image, token: 7) }.hasSuffix("no room: bind: token 7 is in use"))
        #expect(try image.digest() == before)
    }

    @Test func `a token that libcryptsetup cannot open by itself binds nothing`() throws {
        let image = try DiskImage()
        try cryptsetup(["token", "add", "--token-id", "3", "--key-description", "cvm-clevis no such key", image.path])
            .expectSuccess()
        let before = try image.digest()
        for token in [3, 4] {
            #expect(throws: LUKSError(.failed)) { try image.volume.bind(owner.newBinding(), openedBy: token) }
        }
        #expect(try image.digest() == before)
    }

    @Test func `a token that does not fit is refused with the sizes, and nothing changes`() throws {
        let image = try DiskImage()
        let before = try image.digest()
        let words = refusal {
            try owner.bind(image, "sss", ["t": 1, "pins": ["null": .array(Array(repeating: [:], count: 30))]])
        }
        #expect(words.contains("no room: write the token: it has "), "\(words)")
        #expect(words.contains("and of the header's 12288 only "), "\(words)")
        #expect(try image.digest() == before)
    }

    @Test func `a key area without room is found at the second write, and the first is taken back`() throws {
        // Room for the key material of one keyslot with 4000 stripes, and 8 KiB.
        let image = try DiskImage(format: ["--luks2-keyslots-size", "266240"])
        let before = try image.metadata()
        #expect(before["keyslots"]?.object?.names == ["0"])
        let material = try image.bytes(32768..<(32768 + 266_240))
        #expect(refusal { try owner.bind(image, "null", [:]) }.hasPrefix("\(image.path): "))
        #expect(try image.metadata().canonical == before.canonical)
        #expect(try image.bytes(32768..<(32768 + 266_240)) == material)
        #expect(try image.opens(with: DiskImage.password))
    }

    @Test func `where all keyslots are in use nothing is left of a binding`() throws {
        let image = try DiskImage()
        for _ in 1..<32 {
            try cryptsetup(
                [
                    "luksAddKey", "--batch-mode", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file",
                    "/dev/stdin", "--new-keyfile", "/etc/hostname", image.path,
                ], input: DiskImage.password
            ).expectSuccess()
        }
        let before = try image.metadata()
        #expect(throws: LUKSError.self) { try owner.bind(image, "null", [:]) }
        #expect(try image.metadata().canonical == before.canonical)
        #expect(try image.opens(with: DiskImage.password))
    }

    @Test func `the largest token that is said to fit does fit`() throws {
        let image = try DiskImage()
        var size = 12_000
        while true {
            do {
                try bind(image, tokenSize: size)
                break
            } catch let error as LUKSError where error.code == .noRoom {
                #expect(error.detail.hasPrefix("it has \(size) bytes"), "not our own count: \(error)")
                size -= 10
            }
        }
        #expect(size > 11_000)
        #expect(try owner.unlock(image).token == 0)
    }

    @Test func `a default header holds three tokens of 3500 bytes`() throws {
        let image = try DiskImage()
        for _ in 0..<3 { try bind(image, tokenSize: 3500) }
        let listed = try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey)
        #expect(listed.map(\.standing) == [.verified, .verified, .verified])
        #expect(listed.map(\.keyslots) == [[1], [2], [3]])
        let sizes = try HeaderCopy(of: image.path).header.tokens.values.map { $0.canonical.utf8.count }
        #expect(sizes == [3503, 3503, 3503], "the keyslot's number makes three more")
    }

    /// A binding whose token has exactly `tokenSize` bytes once it is complete: the instance's name is as long as it takes.
    private func bind(_ image: DiskImage, tokenSize: Int) throws {
        let plain = try owner.newBinding(instance: "").tokenSize()
        let new = try owner.newBinding(instance: String(repeating: "i", count: tokenSize - plain))
        _ = try image.volume.bind(new, passphrase: SecretBytes(DiskImage.password))
    }
}

// MARK: - Others at the same time

extension BindTests {
    @Test func `concurrent binds all succeed, one after another`() throws {
        let image = try DiskImage()
        let results = Mutex<[Result<BoundVolume, any Error>]>([])
        let owner = self.owner
        DispatchQueue.concurrentPerform(iterations: 5) { _ in
            let result = Result { try owner.bind(image) }
            results.withLock { $0.append(result) }
        }
        let keyslots = try results.withLock { $0 }.map { try $0.get().keyslot }.sorted()
        #expect(keyslots == [1, 2, 3, 4, 5])
        let listed = try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey)
        #expect(listed.map(\.standing) == Array(repeating: .verified, count: 5))
        #expect(try image.opens(with: DiskImage.password, keyslot: 0))
    }

    @Test func `a volume that somebody else is changing is busy`() throws {
        let image = try DiskImage()
        let before = try image.digest()
        let holder = try #require(FileLock(image.path))
        #expect(throws: LUKSError(.busy)) {
            try image.volume.bind(
                owner.newBinding(), passphrase: SecretBytes(DiskImage.password), wait: .after(milliseconds: 100))
        }
        #expect(throws: LUKSError(.busy)) { try image.volume.unbind(.token(0), wait: .after(milliseconds: 100)) }
        #expect(try image.digest() == before)
        holder.release()
        try owner.bind(image)
    }
}

// MARK: - Unbind

extension BindTests {
    @Test func `unbinding takes only what it is told to`() throws {
        let image = try DiskImage()
        for _ in 0..<2 { try owner.bind(image) }
        try image.volume.unbind(.token(0))
        let listed = try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey)
        #expect(listed.map(\.token) == [1] && listed.map(\.standing) == [.verified])
        #expect(try owner.unlock(image).keyslot == 2)
    }

    @Test func `the last keyslot stays unless forced`() throws {
        let image = try DiskImage()
        try owner.bind(image)
        try cryptsetup(["luksKillSlot", "--batch-mode", image.path, "0"]).expectSuccess()
        #expect(throws: LUKSError(.lastKeyslot)) { try image.volume.unbind(.keyslot(1)) }
        #expect(try owner.unlock(image).keyslot == 1)
        try image.volume.unbind(.keyslot(1), force: true)
        #expect(try image.metadata()["keyslots"] == [:])
    }

    @Test func `a keyslot without a binding is not touched`() throws {
        let image = try DiskImage()
        let before = try image.digest()
        #expect(throws: LUKSError(.notBound)) { try image.volume.unbind(.keyslot(0), force: true) }
        #expect(throws: LUKSError(.notBound)) { try image.volume.unbind(.token(0), force: true) }
        #expect(try image.digest() == before)
    }

    @Test func `a token that is broken inside is listed as such and can be removed`() throws {
        let image = try DiskImage()
        try owner.bind(image)
        try image.rewriteHeader { $0.set("tokens", "0", "jwe", "iv", to: "AAAA") }
        let listed = try image.volume.bindings(registry: owner.registry, owner: nil)
        #expect(listed.map(\.standing) == [.unreadable])
        try image.volume.unbind(.keyslot(1))
        #expect(try image.metadata()["tokens"] == [:])
    }
}

/// Of a null pin that has modes.
private struct ModedEncryptor: Encryptor {
    /// As its messages are to be asked: the key counts as a selector.
    private static let jwk: JSON = ["alg": "A256GCM", "k": .string(Base64URL.encode(pattern)), "kty": "oct"]
    private static let pattern = [UInt8](repeating: 7, count: 32)

    static var modes: PinModes {
        get throws(LUKSError) { try PinModes(["null": [["jwk": jwk, "mode": "special"]]]) }
    }

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        try JWE.encrypt(
            secret, contentKey: SecretBytes(copyingPublic: Self.pattern),
            header: ["clevis": ["pin": "null", "null": ["jwk": Self.jwk, "mode": "special"]]])
    }
}
