// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import Synchronization

/// Where a PIN comes from: whoever can ask for one, or this process, which has just set it.
final class PINs: Sendable {
    /// Longest PIN, in bytes.
    static let maximumLength = 256

    private let prompt: TPM2Pin.PINPrompt?
    private let fresh = Mutex<[Fresh]>([])

    init(prompt: TPM2Pin.PINPrompt?) { self.prompt = prompt }

    /// The auth value of a new PIN, which is asked for twice.
    func choose() throws(PinError) -> SecretBytes {
        let first = try ask("New PIN for the TPM: ")
        let second = try ask("The same PIN again: ")
        guard first.equals(second) else {
            throw PinError(.refused, step: "ask for the PIN", detail: "the two PINs are not the same")
        }
        return try PINs.authValue(of: first)
    }

    /// The auth value of `object`: the one it was just sealed with, once, else that of the PIN that is asked for.
    func enter(for object: SealedObject) throws(PinError) -> SecretBytes {
        if let known = recall(object) { return known.auth.copy() }
        return try PINs.authValue(of: ask("PIN for the TPM: "))
    }

    /// Keeps the auth value of `object` until it is asked for: a binding is opened once to prove it, and whoever has typed
    /// a PIN twice is not asked a third time.
    func remember(_ auth: borrowing SecretBytes, for object: SealedObject) {
        let new = Fresh(object: object.privateHalf, auth: auth.copy())
        fresh.withLock { $0.append(new) }
    }

    /// What the TPM compares: SHA-256 of the PIN, since an auth value is no longer than a digest. A TPM drops zeros at the end.
    static func authValue(of pin: borrowing SecretBytes) throws(PinError) -> SecretBytes {
        guard (1...maximumLength).contains(pin.count) else {
            throw PinError(.refused, step: "ask for the PIN", detail: "a PIN has 1 to \(maximumLength) characters")
        }
        let digest = pin.sha256
        var length = digest.count
        unsafe digest.withUnsafeBytes { bytes in
            while unsafe length > 0 && bytes[length - 1] == 0 { length -= 1 }
        }
        return digest.slice(0..<length) ?? digest.copy()
    }

    private func ask(_ text: String) throws(PinError) -> SecretBytes {
        guard let prompt else {
            throw PinError(.unavailable, step: "ask for the PIN", detail: "this program has nobody to ask")
        }
        guard let pin = try prompt(text) else {
            throw PinError(.unavailable, step: "ask for the PIN", detail: "there is no terminal, or no answer")
        }
        return pin
    }

    private func recall(_ object: SealedObject) -> Fresh? {
        fresh.withLock { fresh in
            guard let index = fresh.firstIndex(where: { $0.object == object.privateHalf }) else { return nil }
            return fresh.remove(at: index)
        }
    }
}

/// An auth value that was set in this process. (Not private: see ``GroupElement``.)
final class Fresh: Sendable {
    let object: [UInt8]
    let auth: SecretBytes

    init(object: [UInt8], auth: consuming SecretBytes) {
        self.object = object
        self.auth = auth
    }
}
