// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
package import PinKit

/// Nonces that need no memory: each is its own time of birth under AES-256-GCM (docs/spec/broker.md §2), so that every
/// replica with the key knows a nonce of any other, and a restart forgets none.
package final class NonceSealer: Sendable {
    package static let keyLength = 32
    /// IV, time, tag.
    package static let length = 12 + 4 + 16
    /// Seconds from `seal` until a nonce is too old.
    package static let lifetime: Int64 = 60
    /// Seconds by which the clocks of two replicas may differ.
    package static let clockSkew: Int64 = 5

    private static let label = Array("cvm-clevis nonce v1".utf8)
    private let key: SecretBytes

    /// nil unless `key` is 32 bytes long.
    package init?(key: consuming SecretBytes) {
        guard key.count == NonceSealer.keyLength else { return nil }
        self.key = key
    }

    /// A nonce born at `now`, seconds since 1970.
    package func seal(at now: Int64) throws(PinError) -> [UInt8] {
        let iv = try Random.bytes(12)
        let time = UInt32(clamping: now)
        let plaintext = (0..<4).map { UInt8(truncatingIfNeeded: time >> (8 * $0)) }
        guard let sealed = crypt(plaintext, iv: iv, tag: nil) else {
            throw PinError(.failed, step: "seal a nonce", detail: opensslReason())
        }
        return iv + sealed.text + sealed.tag
    }

    /// When this broker, or a replica, made `nonce`; nil when none did.
    package func open(_ nonce: [UInt8]) -> Int64? {
        guard nonce.count == NonceSealer.length else { return nil }
        guard let opened = crypt(Array(nonce[12..<16]), iv: Array(nonce[..<12]), tag: Array(nonce[16...])) else {
            ERR_clear_error()
            return nil
        }
        return opened.text.reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) }
    }

    /// Encrypts where `tag` is nil, else decrypts and checks it.
    private func crypt(_ input: [UInt8], iv: [UInt8], tag: [UInt8]?) -> (text: [UInt8], tag: [UInt8])? {
        guard let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        var output = [UInt8](repeating: 0, count: input.count)
        var tagBytes = tag ?? [UInt8](repeating: 0, count: 16)
        var count: Int32 = 0
        let encrypts: Int32 = tag == nil ? 1 : 0
        let label = NonceSealer.label
        let started = unsafe key.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return unsafe EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, start, iv, encrypts)
        }
        guard started == 1,
            unsafe tag == nil || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, &tagBytes) == 1,
            unsafe EVP_CipherUpdate(context, nil, &count, label, Int32(label.count)) == 1,
            unsafe EVP_CipherUpdate(context, &output, &count, input, Int32(input.count)) == 1,
            unsafe EVP_CipherFinal_ex(context, nil, &count) == 1,
            unsafe tag != nil || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, &tagBytes) == 1
        else { return nil }
        return (output, tagBytes)
    }
}
