// SPDX-License-Identifier: Apache-2.0
package import BrokerProtocol
internal import COpenSSL
package import PinKit

/// A resource encrypted to a guest's key, in the one form that its client opens (docs/spec/broker.md §7.4).
///
/// Clients do not authenticate the header that they got but one that they write themselves: alg, enc, then the other
/// members. So the header is exactly that, without spaces.
package enum ResponseJWE {
    package static func seal(
        _ resource: borrowing SecretBytes, to key: GuestTEEKey, of version: KBSVersion
    ) throws(PinError) -> JSON {
        switch key {
        case .ec(let point): return try JWE.Draft(to: point).seal(resource).flattened
        case .rsa(let n, let e, let padding):
            let key = try RSAKey(n: n, e: e)
            return try padding == .pkcs1 ? legacy(resource, key) : standard(resource, key)
        }
    }

    /// RFC 7516.
    private static func standard(_ resource: borrowing SecretBytes, _ key: borrowing RSAKey) throws(PinError) -> JSON {
        let protected = Base64URL.encode(header(.oaep))
        let content = try Content(resource, data: Array(protected.utf8))
        return json(
            protected: protected, encryptedKey: try key.encrypt(content.key, isOAEP: true), iv: content.iv,
            ciphertext: content.ciphertext, tag: content.tag)
    }

    /// Protocol 0.1.1: the header is plain text and nothing authenticates it, and the tag stands behind the ciphertext.
    private static func legacy(_ resource: borrowing SecretBytes, _ key: borrowing RSAKey) throws(PinError) -> JSON {
        let content = try Content(resource, data: [])
        return json(
            protected: String(decoding: header(.pkcs1), as: UTF8.self),
            encryptedKey: try key.encrypt(content.key, isOAEP: false), iv: content.iv,
            ciphertext: content.ciphertext + content.tag, tag: [])
    }

    private static func header(_ padding: GuestTEEKey.Padding) -> [UInt8] {
        let header: JSON = ["alg": .string(padding.rawValue), "enc": "A256GCM"]
        return Array(header.compact.utf8)
    }

    private static func json(
        protected: String, encryptedKey: [UInt8], iv: [UInt8], ciphertext: [UInt8], tag: [UInt8]
    ) -> JSON {
        [
            "protected": .string(protected), "encrypted_key": .string(Base64URL.encode(encryptedKey)),
            "iv": .string(Base64URL.encode(iv)), "ciphertext": .string(Base64URL.encode(ciphertext)),
            "tag": .string(Base64URL.encode(tag)),
        ]
    }
}

/// A resource under a key of its own.
fileprivate struct Content: ~Copyable {
    let key: SecretBytes
    let iv: [UInt8]
    let ciphertext: [UInt8]
    let tag: [UInt8]

    init(_ resource: borrowing SecretBytes, data: [UInt8]) throws(PinError) {
        let key = try SecretBytes.random(count: 32)
        let iv = try Random.bytes(AESGCM.ivCount)
        (ciphertext, tag) = try AESGCM.encrypt(resource, key: key, iv: iv, data: data)
        self.key = key
        self.iv = iv
    }
}

@safe fileprivate struct RSAKey: ~Copyable {
    private let key: OpaquePointer
    private let count: Int

    init(n: [UInt8], e: [UInt8]) throws(PinError) {
        guard let key = unsafe cvm_rsa_public_key(n, n.count, e, e.count) else {
            throw PinError(.malformed, step: "read an RSA key", detail: opensslReason())
        }
        unsafe self.key = key
        count = n.count
    }

    deinit { unsafe EVP_PKEY_free(key) }

    func encrypt(_ secret: borrowing SecretBytes, isOAEP: Bool) throws(PinError) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        var written = count
        let done = unsafe secret.withUnsafeBytes { bytes in
            unsafe cvm_rsa_encrypt(key, isOAEP ? 1 : 0, bytes.baseAddress, bytes.count, &output, &written)
        }
        guard done == 1, written == count else { throw PinError(.malformed, step: "encrypt a key", detail: opensslReason()) }
        return output
    }
}
