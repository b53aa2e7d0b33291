// SPDX-License-Identifier: Apache-2.0
internal import CJose

/// An A256GCM key as the JWK tree that libjose works with; its text is overwritten when it goes away.
@safe struct ContentKey: ~Copyable {
    private let tree: UnsafeMutablePointer<json_t>

    init(_ key: borrowing SecretBytes) throws(PinError) {
        guard key.count == 32 else {
            throw PinError(.malformed, step: "content key", detail: "\(key.count) bytes, not 32")
        }
        let text = key.base64URL
        let template: JSON = ["kty": "oct", "alg": "A256GCM"]
        let tree = unsafe template.makeTree()
        unsafe text.withUnsafeBytes { bytes in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            _ = unsafe json_object_set_new(tree, "k", json_stringn(start, bytes.count))
        }
        unsafe self.tree = tree
    }

    /// Takes over one reference to a CEK tree that libjose made.
    init(adopting tree: UnsafeMutablePointer<json_t>) { unsafe self.tree = tree }

    deinit {
        unsafe wipeMember("k", of: tree)
        unsafe json_decref(tree)
    }

    /// `header` is complete. libjose writes it as `JSON.canonical` does, through the same jansson call.
    func encrypt(
        _ plaintext: borrowing SecretBytes, header: JSONObject, encryptedKey: [UInt8]
    ) throws(PinError) -> JWE {
        // libjose 11 encrypts an empty plaintext but cannot decrypt it.
        guard !plaintext.isEmpty else { throw PinError(.malformed, step: "encrypt", detail: "nothing to encrypt") }
        let message: JSON = ["protected": .object(header)]
        let sealed = unsafe message.makeTree()
        defer { unsafe json_decref(sealed) }
        let done = unsafe plaintext.withUnsafeBytes { bytes in
            unsafe jose_jwe_enc_cek(nil, sealed, tree, bytes.baseAddress, bytes.count)
        }
        guard done else { throw PinError(.failed, step: "encrypt", detail: "libjose gave no reason") }
        guard let written = try? unsafe JSON(reading: sealed, depth: 0) else { throw JWE.malformed("libjose wrote no JWE") }
        let unkeyed = try JWE(flattened: written)
        return try JWE(
            protected: unkeyed.protected, encryptedKey: encryptedKey,
            iv: unkeyed.iv, ciphertext: unkeyed.ciphertext, tag: unkeyed.tag)
    }

    func decrypt(_ message: JWE) throws(PinError) -> SecretBytes {
        let sealed = unsafe message.flattened.makeTree()
        defer { unsafe json_decref(sealed) }
        var count = 0  // libjose 11 fails at random when this is not 0 before the call
        guard let plaintext = unsafe jose_jwe_dec_cek(nil, sealed, tree, &count) else {
            throw PinError(.refused, step: "decrypt", detail: "the tag does not match: wrong key or changed message")
        }
        defer { unsafe wipeAndFree(plaintext, count: count) }
        return unsafe SecretBytes(copying: UnsafeRawBufferPointer(start: plaintext, count: count))
    }
}
