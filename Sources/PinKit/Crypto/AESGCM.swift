// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// AES-256-GCM (SP 800-38D) over secrets, by libcrypto. Whoever calls it sees to it that no key meets an IV twice.
package enum AESGCM {
    package static let ivCount = 12
    package static let tagCount = 16

    /// Does what the first use would wait for, most of it libcrypto's own start: for a thread that has nothing else to do.
    package static func prepare() {
        unsafe EVP_CIPHER_free(EVP_CIPHER_fetch(nil, "AES-256-GCM", nil))
    }

    /// `key`: 32 bytes. Ciphertext and tag.
    package static func encrypt(
        _ plaintext: borrowing SecretBytes, key: borrowing SecretBytes, iv: [UInt8], data: [UInt8]
    ) throws(PinError) -> (ciphertext: [UInt8], tag: [UInt8]) {
        var tag = [UInt8](repeating: 0, count: tagCount)
        var ciphertext = [UInt8](repeating: 0, count: plaintext.count)
        let done = unsafe ciphertext.withUnsafeMutableBytes { output in
            unsafe crypt(plaintext, into: output, key: key, iv: iv, data: data, tag: &tag, encrypts: true)
        }
        guard done else { throw PinError(.failed, step: "encrypt", detail: opensslReason()) }
        return (ciphertext, tag)
    }

    /// nil where key, IV, data or tag are others than it was encrypted with.
    package static func decrypt(
        _ ciphertext: [UInt8], tag: [UInt8], key: borrowing SecretBytes, iv: [UInt8], data: [UInt8]
    ) -> SecretBytes? {
        var tag = tag
        guard tag.count == tagCount else { return nil }
        let input = SecretBytes(copyingPublic: ciphertext)
        var done = false
        let plaintext = unsafe SecretBytes(count: ciphertext.count) { output in
            done = unsafe crypt(input, into: output, key: key, iv: iv, data: data, tag: &tag, encrypts: false)
        }
        guard done else {
            ERR_clear_error()
            return nil
        }
        return plaintext
    }

    private static func crypt(
        _ input: borrowing SecretBytes, into output: UnsafeMutableRawBufferPointer, key: borrowing SecretBytes, iv: [UInt8],
        data: [UInt8], tag: inout [UInt8], encrypts: Bool
    ) -> Bool {
        guard key.count == 32, iv.count == ivCount, let context = unsafe EVP_CIPHER_CTX_new() else { return false }
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        var count: Int32 = 0
        // libcrypto wants somewhere to write the nothing that finishing gives.
        var rest = [UInt8](repeating: 0, count: tagCount)
        let started = unsafe key.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return unsafe EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, start, iv, encrypts ? 1 : 0)
        }
        let start = unsafe output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        guard started == 1,
            unsafe encrypts || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagCount), &tag) == 1,
            unsafe data.isEmpty || EVP_CipherUpdate(context, nil, &count, data, Int32(clamping: data.count)) == 1,
            unsafe update(context, input, start)
        else { return false }
        return unsafe EVP_CipherFinal_ex(context, &rest, &count) == 1
            && (!encrypts || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagCount), &tag) == 1)
    }

    private static func update(
        _ context: OpaquePointer, _ input: borrowing SecretBytes, _ output: UnsafeMutablePointer<UInt8>?
    ) -> Bool {
        guard !input.isEmpty else { return true }
        var count: Int32 = 0
        return unsafe input.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return unsafe EVP_CipherUpdate(context, output, &count, start, Int32(clamping: bytes.count)) == 1
        }
    }
}
