// SPDX-License-Identifier: Apache-2.0

extension JWE {
    /// The text of a header as it is signed, authenticated and sent.
    static func protected(_ header: JSONObject) -> String { Base64URL.encode(JSON.object(header).canonical.utf8) }

    /// Encrypts with A256GCM (RFC 7518 §5.3). `key`: 32 bytes; `protected` is the text of `header`, which is complete.
    static func encrypt(
        _ plaintext: borrowing SecretBytes, key: borrowing SecretBytes, encryptedKey: [UInt8], header: JSONObject,
        protected: String
    ) throws(PinError) -> JWE {
        try requireContentKey(key)
        // libjose 11, which stock clevis opens messages with, cannot decrypt an empty plaintext.
        guard !plaintext.isEmpty else { throw PinError(.malformed, step: "encrypt", detail: "nothing to encrypt") }
        let iv = try Random.bytes(AESGCM.ivCount)
        let (ciphertext, tag) = try AESGCM.encrypt(plaintext, key: key, iv: iv, data: Array(protected.utf8))
        return JWE(
            header: header, protected: protected, encryptedKey: encryptedKey, iv: iv, ciphertext: ciphertext, tag: tag)
    }

    /// Opens the content with `key`, 32 bytes. `.refused` where the tag does not match.
    func decryptContent(_ key: borrowing SecretBytes) throws(PinError) -> SecretBytes {
        try JWE.requireContentKey(key)
        guard let plaintext = AESGCM.decrypt(ciphertext, tag: tag, key: key, iv: iv, data: Array(protected.utf8)) else {
            throw PinError(.refused, step: "decrypt", detail: "the tag does not match: wrong key or changed message")
        }
        return plaintext
    }

    private static func requireContentKey(_ key: borrowing SecretBytes) throws(PinError) {
        guard key.count == 32 else {
            throw PinError(.malformed, step: "content key", detail: "\(key.count) bytes, not 32")
        }
    }
}
