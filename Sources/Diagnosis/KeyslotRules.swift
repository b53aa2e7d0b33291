// SPDX-License-Identifier: Apache-2.0
internal import LUKS
internal import PinKit

/// Keyslots that a person's passphrase opens: would it take long to guess it?
///
/// A keyslot that belongs to a token is left out: its passphrase is random, whatever program made it. Only a token for the
/// kernel's keyring says nothing about where the passphrase came from.
enum KeyslotRules {
    /// OWASP Password Storage Cheat Sheet: PBKDF2 with HMAC-SHA-256.
    static let iterations: Int64 = 600_000
    /// KiB; RFC 9106 §4, second recommended option.
    static let memory: Int64 = 65_536

    static func findings(_ header: Header) -> [Finding] {
        let random = header.tokens.values.filter { $0["type"] != "luks2-keyring" }
        let owned = random.flatMap { $0["keyslots"]?.array ?? [] }.compactMap(\.string)
        return header.keyslots.sorted { $0.key < $1.key }.compactMap { number, keyslot in
            owned.contains(String(number)) ? nil : finding(keyslot.kdf, at: "keyslot \(number)", number)
        }
    }

    private static func finding(_ kdf: JSON, at place: String, _ number: Int) -> Finding? {
        let weakness: String
        if kdf["type"] == "pbkdf2" {
            guard let count = kdf["iterations"]?.integer, count < iterations else { return nil }
            weakness = "pbkdf2 with \(count) iterations, fewer than \(iterations)"
        } else {
            guard let size = kdf["memory"]?.integer, size < memory else { return nil }
            weakness = "\(kdf["type"]?.string ?? "argon2") with \(size) KiB of memory, less than \(memory)"
        }
        return Finding(
            .warning, .keyslot, at: place, "a passphrase in it is easy to guess: \(weakness)",
            remedy: "cryptsetup luksConvertKey --pbkdf argon2id --key-slot \(number)")
    }
}
