// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

/// One ECDSA verification as any program would ask libcrypto for it, with key and signature in libcrypto's own forms.
@safe final class SignatureCheck {
    private let key: OpaquePointer
    private let hash: Hash
    private let signature: [UInt8]
    private let message: [UInt8]

    enum Hash { case sha256, sha384 }

    /// `certificate`: DER or PEM, whose key signed; `signature`: r and s, big-endian, half of it each.
    convenience init(certificate: [UInt8], signature: [UInt8], message: [UInt8], _ hash: Hash) {
        let parsed = unsafe certificate.first == 0x30 ? Self.parse(certificate) : Self.parse(pem: certificate)
        guard let parsed = unsafe parsed else { preconditionFailure("not a certificate") }
        defer { unsafe X509_free(parsed) }
        guard let key = unsafe X509_get_pubkey(parsed) else { preconditionFailure("a certificate without a key") }
        unsafe self.init(adopting: key, signature, message, hash)
    }

    /// `point`: both coordinates on P-256, big-endian.
    convenience init(point: [UInt8], signature: [UInt8], message: [UInt8], _ hash: Hash) {
        let encoded = [4] + point
        guard let key = unsafe cvm_ec_public_key("P-256", encoded, encoded.count) else {
            preconditionFailure("not a point on P-256")
        }
        unsafe self.init(adopting: key, signature, message, hash)
    }

    private init(adopting key: OpaquePointer, _ signature: [UInt8], _ message: [UInt8], _ hash: Hash) {
        unsafe self.key = key
        self.hash = hash
        self.signature = Self.der(signature)
        self.message = message
    }

    deinit { unsafe EVP_PKEY_free(key) }

    var holds: Bool {
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        let digest = unsafe hash == .sha256 ? EVP_sha256() : EVP_sha384()
        return unsafe EVP_DigestVerifyInit(context, nil, digest, nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    private static func parse(_ der: [UInt8]) -> OpaquePointer? {
        unsafe der.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            return unsafe d2i_X509(nil, &cursor, bytes.count)
        }
    }

    private static func parse(pem: [UInt8]) -> OpaquePointer? {
        unsafe withBIO(over: pem) { unsafe PEM_read_bio_X509($0, nil, nil, nil) }
    }

    private static func der(_ signature: [UInt8]) -> [UInt8] {
        let half = Int32(signature.count / 2)
        let made = unsafe ECDSA_SIG_new()
        defer { unsafe ECDSA_SIG_free(made) }
        unsafe signature.withUnsafeBufferPointer { bytes in
            let r = unsafe BN_bin2bn(bytes.baseAddress, half, nil)
            let s = unsafe BN_bin2bn(bytes.baseAddress.map { unsafe $0 + Int(half) }, half, nil)
            _ = unsafe ECDSA_SIG_set0(made, r, s)
        }
        var start: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_ECDSA_SIG(made, &start)
        defer { unsafe CRYPTO_free(start, nil, 0) }
        return unsafe Array(UnsafeBufferPointer(start: start, count: Int(count)))
    }
}
