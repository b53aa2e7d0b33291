// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// Seals what the broker gives out of its hands and wants to have back unchanged and unread: sessions in cookies, resources in
/// the store (docs/spec/broker.md §7).
///
/// `salt ‖ ciphertext ‖ tag`, AES-256-GCM under a key and an IV that HKDF makes of the sealer's key and 16 random bytes, so that
/// one key may seal any number of times.
package final class Sealer: Sendable {
    package static let keyLength = 32
    private static let saltCount = 16

    private let key: SecretBytes
    /// Names the key and gives nothing of it away: 16 hexadecimal digits.
    package let id: String

    /// `.malformed` unless `key` is 32 bytes long.
    package init(key: consuming SecretBytes) throws(PinError) {
        guard key.count == Sealer.keyLength else {
            throw PinError(.malformed, step: "read a key", detail: "\(key.count) bytes, not \(Sealer.keyLength)")
        }
        let name = try key.hkdf(salt: [], info: Array("cvm-clevis key id v1".utf8), count: 8)
        id = unsafe name.withUnsafeBytes { unsafe Hex.encode([UInt8]($0)) }
        self.key = key
    }

    /// `purpose` says what it is, and `context` what else must be the same when it is opened.
    package func seal(
        _ plaintext: borrowing SecretBytes, _ purpose: String, context: [UInt8] = []
    ) throws(PinError) -> [UInt8] {
        let salt = try Random.bytes(Sealer.saltCount)
        let (ciphertext, tag) = try AESGCM.encrypt(
            plaintext, key: derive("\(purpose) key", salt, count: 32), iv: iv(purpose, salt), data: context)
        return salt + ciphertext + tag
    }

    /// nil for what this key did not seal for this purpose and context.
    package func open(_ sealed: [UInt8], _ purpose: String, context: [UInt8] = []) -> SecretBytes? {
        guard sealed.count >= Sealer.saltCount + AESGCM.tagCount else { return nil }
        let salt = Array(sealed.prefix(Sealer.saltCount))
        let ciphertext = Array(sealed.dropFirst(Sealer.saltCount).dropLast(AESGCM.tagCount))
        do throws(PinError) {
            return AESGCM.decrypt(
                ciphertext, tag: Array(sealed.suffix(AESGCM.tagCount)), key: try derive("\(purpose) key", salt, count: 32),
                iv: try iv(purpose, salt), data: context)
        } catch {
            return nil
        }
    }

    private func iv(_ purpose: String, _ salt: [UInt8]) throws(PinError) -> [UInt8] {
        let iv = try derive("\(purpose) iv", salt, count: AESGCM.ivCount)
        return unsafe iv.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    private func derive(_ use: String, _ salt: [UInt8], count: Int) throws(PinError) -> SecretBytes {
        try key.hkdf(salt: salt, info: Array("cvm-clevis \(use) v1".utf8), count: count)
    }
}
