// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// A one-time RSA key for answers in the form of the KBS protocol up to 0.1.1: RSA1_5, a header that is plain text and that nothing
/// authenticates, and the tag behind the ciphertext. Who could pad RSA1_5 wrongly learns nothing: the key opens one answer.
@safe package final class LegacyResponseKey: @unchecked Sendable {
    private let key: OpaquePointer

    /// 2048 bits.
    package static func generate() throws(PinError) -> LegacyResponseKey {
        guard let key = unsafe cvm_generate_rsa() else {
            throw PinError(.failed, step: "generate an RSA key", detail: opensslReason())
        }
        return unsafe LegacyResponseKey(adopting: key)
    }

    /// From an unencrypted PEM: for tests.
    package convenience init(pem: borrowing SecretBytes) throws(PinError) {
        guard let key = unsafe pem.withUnsafeBytes({ unsafe cvm_read_private_key($0.baseAddress, $0.count) }) else {
            throw PinError(.malformed, step: "read an RSA key", detail: opensslReason())
        }
        unsafe self.init(adopting: key)
    }

    private init(adopting key: OpaquePointer) { unsafe self.key = key }

    deinit { unsafe EVP_PKEY_free(key) }

    /// alg, e, kty, n.
    package var publicJWK: JSON {
        ["kty": "RSA", "alg": "RSA1_5", "n": .string(number("n")), "e": .string(number("e"))]
    }

    private func number(_ name: String) -> String {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = unsafe cvm_rsa_number(key, name, &bytes)
        return Base64URL.encode(bytes[..<count])
    }

    /// What `answer` holds. `.refused` where it is encrypted to another key or was changed.
    package func open(_ answer: JSON) throws(PinError) -> SecretBytes {
        let (wrapped, iv, sealed): ([UInt8], [UInt8], [UInt8])
        do throws(JSONError) {
            var reader = try JSONReader(answer, at: "answer")
            let header: JSON = ["alg": "RSA1_5", "enc": "A256GCM"]
            guard try JSON(parsing: try reader.string("protected"), limit: 1 << 10) == header else {
                throw reader.error(at: "protected", "must name RSA1_5 and A256GCM")
            }
            wrapped = try reader.base64URL("encrypted_key")
            iv = try reader.base64URL("iv", count: AESGCM.ivCount)
            sealed = try reader.base64URL("ciphertext")
            guard try reader.optionalString("tag") ?? "" == "", sealed.count > AESGCM.tagCount else {
                throw reader.error(at: "ciphertext", "does not end in a tag")
            }
            try reader.finish()
        } catch {
            throw JWE.malformed(error.description)
        }
        let (ciphertext, tag) = (Array(sealed.dropLast(AESGCM.tagCount)), Array(sealed.suffix(AESGCM.tagCount)))
        guard let contentKey = unwrap(wrapped), contentKey.count == 32,
            let content = AESGCM.decrypt(ciphertext, tag: tag, key: contentKey, iv: iv, data: [])
        else { throw PinError(.refused, step: "open an answer", detail: "wrong key or changed message") }
        return content
    }

    /// nil where it is not padded as it should be, or as long as the modulus.
    private func unwrap(_ wrapped: [UInt8]) -> SecretBytes? {
        var count = 512
        var done = false
        let output = unsafe SecretBytes(count: count) { output in
            let start = unsafe output.baseAddress?.assumingMemoryBound(to: UInt8.self)
            done = unsafe cvm_rsa_decrypt(key, wrapped, wrapped.count, start, &count) == 1
        }
        ERR_clear_error()
        return done ? output.slice(0..<count) : nil
    }
}
