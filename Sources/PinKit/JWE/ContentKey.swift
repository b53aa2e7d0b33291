// SPDX-License-Identifier: Apache-2.0
internal import CJose

/// An A256GCM key (RFC 7518 §5.3), which encrypts one message.
///
/// By libcrypto itself: with libjose, which starts more of it than a message needs, opening one takes twice as long.
struct ContentKey: ~Copyable {
    private let key: SecretBytes

    init(_ key: borrowing SecretBytes) throws(PinError) { try self.init(taking: key.copy()) }

    /// The `k` of a JWK that libjose made, which is overwritten and released.
    init(adopting tree: UnsafeMutablePointer<json_t>) throws(PinError) {
        defer {
            unsafe wipeMember("k", of: tree)
            unsafe json_decref(tree)
        }
        let member = unsafe json_object_get(tree, "k")
        let text = unsafe UnsafeRawBufferPointer(start: json_string_value(member), count: json_string_length(member))
        guard let key = unsafe SecretBytes(decodingBase64URL: text) else {
            throw PinError(.malformed, step: "content key", detail: "its k is not base64url")
        }
        try self.init(taking: key)
    }

    private init(taking key: consuming SecretBytes) throws(PinError) {
        guard key.count == 32 else {
            throw PinError(.malformed, step: "content key", detail: "\(key.count) bytes, not 32")
        }
        self.key = key
    }

    /// `header` is complete, and written as `JSON.canonical` does.
    func encrypt(
        _ plaintext: borrowing SecretBytes, header: JSONObject, encryptedKey: [UInt8]
    ) throws(PinError) -> JWE {
        // clevis could not open it: libjose 11 encrypts an empty plaintext, but does not decrypt it.
        guard !plaintext.isEmpty else { throw PinError(.malformed, step: "encrypt", detail: "nothing to encrypt") }
        let protected = Base64URL.encode(Array(JSON.object(header).canonical.utf8))
        let iv = try Random.bytes(AESGCM.ivCount)
        let (ciphertext, tag) = try AESGCM.encrypt(plaintext, key: key, iv: iv, data: Array(protected.utf8))
        return try JWE(protected: protected, encryptedKey: encryptedKey, iv: iv, ciphertext: ciphertext, tag: tag)
    }

    func decrypt(_ message: JWE) throws(PinError) -> SecretBytes {
        let plaintext = AESGCM.decrypt(
            message.ciphertext, tag: message.tag, key: key, iv: message.iv, data: Array(message.protected.utf8))
        guard let plaintext else {
            throw PinError(.refused, step: "decrypt", detail: "the tag does not match: wrong key or changed message")
        }
        return plaintext
    }
}
