// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit
package import TEE

/// A key that signs certificates and revocation lists: AMD's ARK, ASK or ASVK, Intel's root or a PCK CA.
package struct Authority: Sendable, Equatable {
    /// The subject's common name.
    package let name: String
    /// Of its certificate, big-endian without leading zeros.
    package let serial: [UInt8]
    /// Seconds since 1970, both ends included.
    let validity: ClosedRange<Int64>
    /// SHA-256 of the certificate's DER.
    package let fingerprint: [UInt8]
    /// The only scheme that it signs with.
    let scheme: SignatureScheme
    /// SubjectPublicKeyInfo, DER.
    let publicKey: [UInt8]

    /// From figures of ours: an RSA-4096 modulus, whose exponent is 65537.
    init(name: String, serial: String, validity: ClosedRange<Int64>, fingerprint: String, modulus: String) {
        self.init(name, serial, validity, fingerprint, .rsaPSSWithSHA384, key: modulus)
    }

    /// From figures of ours: the coordinates of a point on P-256.
    init(name: String, serial: String, validity: ClosedRange<Int64>, fingerprint: String, point: String) {
        self.init(name, serial, validity, fingerprint, .ecdsaP256WithSHA256, key: point)
    }

    private init(
        _ name: String, _ serial: String, _ validity: ClosedRange<Int64>, _ fingerprint: String, _ scheme: SignatureScheme,
        key: String
    ) {
        guard let digest = Hex.decode(fingerprint), digest.count == 32, let key = Hex.decode(key),
            key.count == scheme.keySize, let serial = Hex.decode(serial)
        else { preconditionFailure("the figures of \(name) are mistyped") }
        self.name = name
        self.serial = serial
        self.validity = validity
        self.fingerprint = digest
        self.scheme = scheme
        self.publicKey = scheme.keyHead + key + scheme.keyTail
    }

    /// Throws `.malformed` for a key that is not one of `scheme`.
    package init(_ certificate: Certificate, _ scheme: SignatureScheme = .rsaPSSWithSHA384) throws(EvidenceError) {
        self.name = certificate.subject
        self.serial = certificate.serial
        self.validity = certificate.validity
        self.fingerprint = Digest.sha256(certificate.der)
        self.scheme = scheme
        self.publicKey = certificate.publicKey
        guard publicKey.count == scheme.keyHead.count + scheme.keySize + scheme.keyTail.count,
            publicKey.starts(with: scheme.keyHead), publicKey.suffix(scheme.keyTail.count).elementsEqual(scheme.keyTail)
        else { throw EvidenceError(.malformed, step: name, detail: "its key is not \(scheme.keyName)") }
    }

    var description: String {
        "\(name): SHA-256 \(Hex.encode(fingerprint)), until \(Timestamp.text(validity.upperBound))"
    }

    /// Lends the key as libcrypto has it, for the time of the call.
    func withKey<R>(_ body: (OpaquePointer) -> R) throws(EvidenceError) -> R {
        let key = unsafe publicKey.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            return unsafe d2i_PUBKEY(nil, &cursor, bytes.count)
        }
        guard let key = unsafe key else { throw EvidenceError(.failed, step: name, detail: opensslReason()) }
        defer { unsafe EVP_PKEY_free(key) }
        return unsafe body(key)
    }
}
