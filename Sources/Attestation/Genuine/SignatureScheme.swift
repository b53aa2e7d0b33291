// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// How a vendor signs its certificates and revocation lists. Each authority has one; what states another is not its work.
package enum SignatureScheme: Sendable {
    /// AMD: RSASSA-PSS with an RSA-4096 key, SHA-384, MGF1 with SHA-384, a salt of 48 bytes.
    case rsaPSSWithSHA384
    /// Intel: ECDSA on P-256 with SHA-256.
    case ecdsaP256WithSHA256

    /// Whether an AlgorithmIdentifier says exactly this, parameters included.
    func isStated(by algorithm: UnsafePointer<X509_ALGOR>?) -> Bool {
        var start: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_X509_ALGOR(algorithm, &start)
        guard count > 0, let bytes = unsafe start else { return false }
        defer { unsafe CRYPTO_free(bytes, nil, 0) }
        return identifiers.contains(unsafe Array(UnsafeBufferPointer(start: bytes, count: Int(count))))
    }

    /// Its AlgorithmIdentifier in DER. Two for PSS: AMD writes the default trailer field in some certificates.
    private var identifiers: [[UInt8]] {
        switch self {
        case .rsaPSSWithSHA384:
            [
                [0x30, 0x41] + Self.pss + [0x30, 0x34] + Self.pssParameters,
                [0x30, 0x46] + Self.pss + [0x30, 0x39] + Self.pssParameters + [0xa3, 0x03, 0x02, 0x01, 0x01],
            ]
        case .ecdsaP256WithSHA256: [[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]]
        }
    }

    private static let pss: [UInt8] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a]
    private static let mgf1: [UInt8] = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08]
    private static let sha384: [UInt8] = [
        0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
    ]
    private static let pssParameters: [UInt8] =
        [0xa0, 0x0f] + sha384 + [0xa1, 0x1c, 0x30, 0x1a] + mgf1 + sha384 + [0xa2, 0x03, 0x02, 0x01, 0x30]
}

// MARK: - Its keys, as SubjectPublicKeyInfo

extension SignatureScheme {
    var keyName: String {
        switch self {
        case .rsaPSSWithSHA384: "RSA-4096 with exponent 65537"
        case .ecdsaP256WithSHA256: "on P-256"
        }
    }

    /// Bytes of the modulus, or of both coordinates.
    var keySize: Int {
        switch self {
        case .rsaPSSWithSHA384: 512
        case .ecdsaP256WithSHA256: 64
        }
    }

    /// What stands before those bytes.
    var keyHead: [UInt8] {
        switch self {
        case .rsaPSSWithSHA384:
            [
                0x30, 0x82, 0x02, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
                0x00, 0x03, 0x82, 0x02, 0x0f, 0x00, 0x30, 0x82, 0x02, 0x0a, 0x02, 0x82, 0x02, 0x01, 0x00,
            ]
        case .ecdsaP256WithSHA256:
            [
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
            ]
        }
    }

    /// What stands behind them: the exponent.
    var keyTail: [UInt8] {
        switch self {
        case .rsaPSSWithSHA384: [0x02, 0x03, 0x01, 0x00, 0x01]
        case .ecdsaP256WithSHA256: []
        }
    }
}
