// SPDX-License-Identifier: Apache-2.0
import Foundation
import LUKS
import NullPin
import PinKit
import Synchronization
import Testing

@Suite struct UnlockTests {
    let owner: Owner

    init() throws { owner = try Owner() }

    @Test func `a binding that fails does not stop the next`() throws {
        let image = try DiskImage()
        try owner.bind(image, "null", ["fail": true])
        try owner.bind(image)
        #expect(try owner.unlock(image).token == 1)
    }

    @Test func `the failures of all bindings are reported with their tokens`() throws {
        let image = try DiskImage()
        try owner.bind(image, "null", ["fail": true])
        try owner.bind(image)
        try image.rewriteHeader { $0.set("tokens", "1", "cvm-clevis", "name", to: "other") }
        let words = refusal { try owner.unlock(image) }
        #expect(words.hasPrefix("\(image.path): refused: no binding opens it: "), "\(words)")
        #expect(words.contains("token 0: null: refused: decrypt"), "\(words)")
        #expect(words.contains("token 1: refused: signature"), "\(words)")
    }

    @Test func `a secret that does not open the keyslot is not taken for the passphrase`() throws {
        let image = try DiskImage()
        try owner.bind(image, signed: false)
        // The keyslot's salt changes, so that the secret, which the policy still gives back, opens it no more.
        try image.rewriteHeader {
            $0.set("keyslots", "1", "kdf", "salt", to: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        }
        let words = refusal { try owner.unlock(image, trust: VolumeTrust(owner: nil, unsigned: true)) }
        #expect(words.contains("token 0: refused: open: its secret does not open its keyslot any more"), "\(words)")
        #expect(owner.recording.timesAsked == 1)
    }

    @Test func `a volume without bindings says so`() throws {
        let image = try DiskImage()
        #expect(refusal { try owner.unlock(image) } == "\(image.path): not bound: it has no token of type clevis")
    }

    @Test func `a pin that cannot answer now makes the volume unavailable, not refused`() throws {
        let image = try DiskImage()
        try owner.bind(image, "null")
        try owner.bind(image)
        try image.rewriteHeader { $0.set("tokens", "1", "cvm-clevis", to: nil) }
        let away = Unlocker(registry: PinRegistry([DistantPin(), owner.recording]), deadline: .after(seconds: 5))
        #expect(throws: LUKSError(.unavailable)) {
            try away.unlock(UnlockRequest(image.volume, trust: owner.trust, mode: .test))
        }
    }

    @Test func `a token as stock clevis writes it opens where it is allowed`() throws {
        let image = try DiskImage()
        let binding = try Binding(issuedAt: 1, owner: nil, registry: owner.registry)
        let jwe = try owner.registry.encryptor(named: "null", for: [:], in: binding).encrypt(SecretBytes("stock passphrase"))
        let (key, token) = (image.folder.appending(path: "key").path, image.folder.appending(path: "token").path)
        try "stock passphrase".write(toFile: key, atomically: true, encoding: .utf8)
        let json: JSON = ["type": "clevis", "keyslots": ["1"], "jwe": jwe.flattened]
        try json.canonical.write(toFile: token, atomically: true, encoding: .utf8)
        let add = ["luksAddKey", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--key-file", "-"]
        try cryptsetup(add + [image.path, key], input: DiskImage.password).expectSuccess()
        try cryptsetup(["token", "import", "--json-file", token, image.path]).expectSuccess()

        let listed = try image.volume.bindings(registry: owner.registry, owner: owner.key.publicKey)
        #expect(listed.map(\.standing) == [.unsigned] && listed.map(\.keyslots) == [[1]])
        #expect(throws: LUKSError(.refused)) { try owner.unlock(image) }
        #expect(try owner.unlock(image, trust: VolumeTrust(owner: nil, unsigned: true)).keyslot == 1)
    }

    @Test func `the keys of volumes that opened are measured, in the order of the requests`() throws {
        let images = try (0..<3).map { _ in try DiskImage() }
        for image in images { try owner.bind(image) }
        try images[1].rewriteHeader { $0.set("tokens", "0", "cvm-clevis", to: nil) }
        let measured = Mutex<[[String]]>([])
        let unlocker = Unlocker(registry: owner.registry, deadline: .after(seconds: 20)) { record, key in
            let code = try? key.hmac("SHA256", of: record)
            measured.withLock { $0.append([record, Hex.encode(code ?? [])]) }
        }
        let trust = VolumeTrust(owner: owner.key.publicKey, name: "root")
        let requests = images.map { UnlockRequest($0.volume, trust: trust, mode: .test) }
        let opened = unlocker.unlock(requests).map { (try? $0.get()) != nil }
        #expect(opened == [true, false, true])
        let expected = try [images[0], images[2]].map { image in
            let record = try "cryptsetup:root:\(image.volume.uuid())"
            return [record, Hex.encode(try image.volumeKey().hmac("SHA256", of: record))]
        }
        #expect(measured.withLock { $0 } == expected)
    }

    @Test func `a token of another program is not judged`() throws {
        let image = try DiskImage()
        try owner.bind(image)
        try image.rewriteHeader { $0.set("tokens", "5", to: ["type": "systemd-tpm2", "keyslots": ["0"], "tpm2-blob": 7]) }
        #expect(try owner.unlock(image).token == 0)
        #expect(try image.volume.bindings(registry: owner.registry, owner: nil).map(\.token) == [0])
    }

    @Test func `activation without device-mapper says what failed`() throws {
        let image = try DiskImage()
        try owner.bind(image)
        let unlocker = Unlocker(registry: owner.registry, deadline: .after(seconds: 10))
        let request = UnlockRequest(image.volume, trust: owner.trust, mode: .activate(name: "cvm-clevis-test-\(getpid())"))
        if (try? unlocker.unlock(request)) != nil {
            try cryptsetup(["close", "cvm-clevis-test-\(getpid())"]).expectSuccess()
        } else {
            #expect(refusal { _ = try unlocker.unlock(request) }.contains("activate as cvm-clevis-test-"))
        }
    }
}

// MARK: - A disk that changes

extension UnlockTests {
    @Test func `what the disk says after the first read does not matter`() throws {
        let (image, bare) = (try DiskImage(), try DiskImage(format: nil))
        try owner.bind(image)
        let nothing = try bare.bytes(0..<16 << 20)
        let swaps = Mutex<[Result<Void, any Error>]>([])
        owner.recording.whenAsked {
            let swap = Result { try image.write(nothing, at: 0) }
            swaps.withLock { $0.append(swap) }
        }
        #expect(try owner.unlock(image).token == 0)
        try swaps.withLock { $0 }.forEach { try $0.get() }
        #expect(throws: LUKSError(.notLUKS2)) { try image.volume.uuid() }
    }

    @Test func `a policy without end is refused before a pin is asked`() throws {
        let image = try DiskImage()
        try owner.bind(image)
        let endless = Unlocker(registry: PinRegistry([EndlessPin()]), deadline: .after(seconds: 10))
        let words = refusal { _ = try endless.unlock(UnlockRequest(image.volume, trust: owner.trust, mode: .test)) }
        #expect(
            words.contains("token 0: malformed: read a policy: more than 64 pins, or nested more than 6 levels"), "\(words)")
    }
}

// MARK: - Several volumes

extension UnlockTests {
    /// Opens like `null`, all messages of a run in one exchange.
    final class CountingBatchPin: BatchPin {
        let name = "null"
        let exchanges = Mutex<[Int]>([])

        func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
            try NullPin().encryptor(for: configuration, in: binding)
        }

        func decrypt(_ messages: [JWE], in run: Run, deliver: (Int, consuming Recovered) -> Void) {
            exchanges.withLock { $0.append(messages.count) }
            for (index, message) in messages.enumerated() {
                deliver(index, Recovered { () throws(PinError) in try NullPin().decrypt(message, in: run) })
            }
        }
    }

    @Test func `one exchange serves all volumes, and each gets its own result`() throws {
        let images = try (0..<3).map { _ in try DiskImage() }
        for image in images.prefix(2) { try owner.bind(image, "null") }
        let pin = CountingBatchPin()
        let unlocker = Unlocker(registry: PinRegistry([pin]), deadline: .after(seconds: 20))
        let missing = UnlockRequest(Volume("/nowhere"), trust: owner.trust, mode: .test)
        let results = unlocker.unlock(images.map { UnlockRequest($0.volume, trust: owner.trust, mode: .test) } + [missing])
        #expect(try results[0].get().volume == images[0].volume)
        #expect(try results[1].get().volume == images[1].volume)
        #expect(throws: LUKSError(.notBound)) { try results[2].get() }
        #expect(throws: LUKSError(.unreadable)) { try results[3].get() }
        #expect(pin.exchanges.withLock { $0 } == [2])
    }
}
