// SPDX-License-Identifier: Apache-2.0
import Foundation
import LUKS
import NullPin
import PinKit
import SSSPin
import Synchronization

/// A pin that opens like `null`, and remembers that it was asked: proof that a check came first.
final class RecordingPin: Pin {
    let name = "recording"
    private let count = Mutex(0)
    private let hook = Mutex<(@Sendable () -> Void)?>(nil)

    /// What happens elsewhere while the pin is asked.
    func whenAsked(_ action: @escaping @Sendable () -> Void) { hook.withLock { $0 = action } }

    var timesAsked: Int { count.withLock { $0 } }

    func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor { Sealer() }

    func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        count.withLock { $0 += 1 }
        hook.withLock { $0 }?()
        return try message.decrypt(contentKey: SecretBytes(copyingPublic: Sealer.key))
    }

    private struct Sealer: Encryptor {
        static let key = [UInt8](repeating: 7, count: 32)

        func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
            let header: JSONObject = ["clevis": ["pin": "recording", "recording": [:]]]
            return try JWE.encrypt(secret, contentKey: SecretBytes(copyingPublic: Sealer.key), header: header)
        }
    }
}

/// `null` at a place from which its messages cannot be opened, as an attested pin's at home.
struct DistantPin: Pin {
    let name = "null"

    func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        try NullPin().encryptor(for: [:], in: binding)
    }

    func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        throw PinError(.unavailable, step: "open", detail: "no TEE here")
    }
}

/// A threshold whose child is itself, for ever.
struct EndlessPin: PolicyPin {
    let name = "recording"

    func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        throw PinError(.failed)
    }

    func threshold(of message: JWE) throws(PinError) -> Threshold { Threshold(needed: 1, children: [message, message]) }

    func combine(_ shares: borrowing Shares, of message: JWE) throws(PinError) -> SecretBytes { throw PinError(.failed) }
}

/// An owner with their pins.
struct Owner: Sendable {
    let key: SigningKey
    let recording = RecordingPin()
    let registry: PinRegistry

    init() throws {
        key = try SigningKey.generate()
        registry = PinRegistry([NullPin(), SSSPin(), recording])
    }

    var trust: VolumeTrust { VolumeTrust(owner: key.publicKey) }

    func newBinding(
        _ pin: String = "recording", _ configuration: JSON = [:], name: String = "root", instance: String? = nil,
        signed: Bool = true,
        check: NewBinding.Check = .skipped
    ) throws -> NewBinding {
        let binding = try Binding(issuedAt: 1_700_000_000, owner: signed ? key : nil, registry: registry)
        let encryptor = try registry.encryptor(named: pin, for: configuration, in: binding)
        return NewBinding(encryptor: encryptor, binding: binding, name: name, instance: instance, check: check)
    }

    @discardableResult
    func bind(
        _ image: DiskImage, _ pin: String = "recording", _ configuration: JSON = [:], signed: Bool = true,
        check: NewBinding.Check = .skipped
    ) throws -> BoundVolume {
        try image.volume.bind(
            newBinding(pin, configuration, signed: signed, check: check), passphrase: SecretBytes(DiskImage.password))
    }

    @discardableResult
    func unlock(_ image: DiskImage, trust: VolumeTrust? = nil) throws -> UnlockedVolume {
        try Unlocker(registry: registry, deadline: .after(seconds: 20))
            .unlock(UnlockRequest(image.volume, trust: trust ?? self.trust, mode: .test))
    }
}

/// What `body` throws, in words.
func refusal(_ body: () throws -> Void) -> String {
    do {
        try body()
        return "nothing was refused"
    } catch {
        return "\(error)"
    }
}

extension NewBinding {
    /// Bytes of the complete token, without the keyslot's number, which comes later: what a message about room counts.
    func tokenSize() throws -> Int {
        let secret = try SecretBytes.random(count: 40).base64URL
        let token: JSON = [
            "type": "clevis", "keyslots": [], "jwe": try encryptor.encrypt(secret).flattened,
            "cvm-clevis": [
                "v": 1, "iat": .integer(binding.issuedAt), "id": .string(binding.id), "name": .string(name),
                "instance": .string(instance ?? ""), "signature": .string(String(repeating: "A", count: 86)),
            ],
        ]
        return token.canonical.utf8.count
    }
}

/// The lock that whoever changes bindings holds, taken by somebody else.
final class FileLock {
    private let file: FileHandle

    init?(_ path: String) {
        guard let file = FileHandle(forUpdatingAtPath: path) else { return nil }
        self.file = file
        var lock = flock()
        lock.l_type = Int16(F_WRLCK)
        lock.l_whence = Int16(SEEK_SET)
        guard unsafe fcntl(file.fileDescriptor, 37 /* F_OFD_SETLK */, &lock) == 0 else { return nil }
    }

    func release() { try? file.close() }
}
