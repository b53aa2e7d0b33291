// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// An ES256 private key: the owner's. Lives inside libcrypto and leaves it only as PKCS #8 PEM in a ``SecretBytes``.
@safe public final class SigningKey: @unchecked Sendable {
    private let key: OpaquePointer
    public let publicKey: PublicKey

    private init(adopting key: OpaquePointer) throws(PinError) {
        do throws(PinError) {
            self.publicKey = try unsafe PublicKey(readFrom: key)
        } catch {
            unsafe EVP_PKEY_free(key)
            throw error
        }
        unsafe self.key = key
    }

    deinit { unsafe EVP_PKEY_free(key) }

    public static func generate() throws(PinError) -> SigningKey {
        guard let key = unsafe cvm_generate_p256() else {
            throw PinError(.failed, step: "generate a P-256 key", detail: opensslReason())
        }
        return try unsafe SigningKey(adopting: key)
    }

    /// Reads an unencrypted PKCS #8 or SEC 1 PEM.
    public convenience init(pem: borrowing SecretBytes) throws(PinError) {
        let parsed = unsafe pem.withUnsafeBytes { unsafe cvm_read_private_key($0.baseAddress, $0.count) }
        guard let key = unsafe parsed else {
            throw PinError(.malformed, step: "read a private key", detail: opensslReason())
        }
        try unsafe self.init(adopting: key)
    }

    public func pem() throws(PinError) -> SecretBytes {
        guard let bio = unsafe BIO_new(BIO_s_secmem()) else {
            throw PinError(.failed, step: "write a private key", detail: opensslReason())
        }
        defer { unsafe BIO_free(bio) }
        var start: UnsafeMutablePointer<CChar>?
        guard unsafe PEM_write_bio_PKCS8PrivateKey(bio, key, nil, nil, 0, nil, nil) == 1 else {
            throw PinError(.failed, step: "write a private key", detail: opensslReason())
        }
        let count = unsafe cvm_bio_data(bio, &start)
        return unsafe SecretBytes(copying: UnsafeRawBufferPointer(start: start, count: count))
    }

    /// ES256 (RFC 7518 §3.4): r ‖ s, 64 bytes.
    public func sign(_ message: borrowing SecretBytes) throws(PinError) -> [UInt8] {
        var signature = [UInt8](repeating: 0, count: 64)
        let done = unsafe message.withUnsafeBytes { bytes in
            unsafe cvm_sign_es256(key, bytes.baseAddress, bytes.count, &signature)
        }
        guard done == 1 else { throw PinError(.failed, step: "sign", detail: opensslReason()) }
        return signature
    }

    public func sign(_ message: [UInt8]) throws(PinError) -> [UInt8] {
        try sign(SecretBytes(copyingPublic: message))
    }
}

extension PublicKey {
    fileprivate init(readFrom key: OpaquePointer) throws(PinError) {
        var point = [UInt8](repeating: 0, count: 65)
        guard unsafe cvm_p256_point(key, &point) == 1 else {
            throw PinError(.malformed, step: "read a private key", detail: "not an EC key on P-256")
        }
        self.init(x: Array(point[1..<33]), y: Array(point[33..<65]))
    }

    /// Whether `signature` (r ‖ s, 64 bytes) is this key's over `message`. False for a key that is not on the curve.
    public func verifies(_ signature: [UInt8], over message: borrowing SecretBytes) -> Bool {
        guard signature.count == 64 else { return false }
        let valid = unsafe message.withUnsafeBytes { bytes in
            unsafe cvm_verify_es256(point, signature, bytes.baseAddress, bytes.count)
        }
        ERR_clear_error()
        return valid == 1
    }

    public func verifies(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        verifies(signature, over: SecretBytes(copyingPublic: message))
    }
}
