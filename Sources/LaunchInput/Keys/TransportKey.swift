// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

// What owner and SEV firmware protect their messages with (SEV API, "Launch secret", "Session").

extension SecretBytes {
    /// HMAC-SHA256 under this key: 32 bytes.
    func mac(_ message: [UInt8]) throws(PinError) -> [UInt8] {
        let code = try macBytes(SecretBytes(copyingPublic: message))
        return unsafe code.withUnsafeBytes { unsafe Array($0) }
    }

    private func macBytes(_ message: borrowing SecretBytes) throws(PinError) -> SecretBytes {
        try unsafe SecretBytes(count: 32) { (code) throws(PinError) in
            var count = 0
            let done = unsafe withUnsafeBytes { key in
                unsafe message.withUnsafeBytes { message in
                    unsafe EVP_Q_mac(
                        nil, "HMAC", nil, "SHA256", nil, key.baseAddress, key.count, message.baseAddress, message.count,
                        code.baseAddress, code.count, &count) != nil
                }
            }
            guard done, count == 32 else { throw PinError(.failed, step: "HMAC-SHA256", detail: opensslReason()) }
        }
    }

    /// 16 bytes from this key (NIST SP 800-108 in counter mode with HMAC-SHA256; counter and length are little-endian).
    func derive(_ label: StaticString, context: [UInt8] = []) throws(PinError) -> SecretBytes {
        let length: UInt32 = 128
        let input = UInt32(1).littleEndianBytes + Array("\(label)".utf8) + [0] + context + length.littleEndianBytes
        guard let key = try macBytes(SecretBytes(copyingPublic: input)).slice(0..<16) else {
            preconditionFailure("a MAC has 32 bytes")
        }
        return key
    }

    /// AES-128 in counter mode: as many bytes as `plaintext` has. This key and `iv` have 16.
    func encrypt(_ plaintext: borrowing SecretBytes, iv: [UInt8]) throws(PinError) -> [UInt8] {
        precondition(count == 16 && iv.count == 16, "AES-128 takes a key and an iv of 16 bytes")
        var ciphertext = [UInt8](repeating: 0, count: plaintext.count)
        var count: Int32 = 0
        let context = unsafe EVP_CIPHER_CTX_new()
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        let done = unsafe withUnsafeBytes { key in
            unsafe plaintext.withUnsafeBytes { plaintext in
                unsafe EVP_EncryptInit_ex2(
                    context, EVP_aes_128_ctr(), key.baseAddress?.assumingMemoryBound(to: UInt8.self), iv, nil) == 1
                    && EVP_EncryptUpdate(
                        context, &ciphertext, &count, plaintext.baseAddress?.assumingMemoryBound(to: UInt8.self),
                        Int32(plaintext.count)) == 1
            }
        }
        guard done, count == ciphertext.count else { throw PinError(.failed, step: "AES-128-CTR", detail: opensslReason()) }
        return ciphertext
    }
}
