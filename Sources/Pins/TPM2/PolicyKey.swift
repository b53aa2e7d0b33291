// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// A public key whose owner approves PCR values by signing them (PolicyAuthorize): RSA, or ECDSA on one of NIST's curves.
///
/// In a header it is a JWK; the TPM sees it as ``template``; systemd's signature file names it by ``fingerprint``.
enum PolicyKey {
    /// Modulus and exponent, big-endian without leading zeros.
    case rsa(modulus: [UInt8], exponent: [UInt8])
    case ecc(CurvePoint)

    /// From `{"kty":"RSA","n":…,"e":…}` of 2048 to 4096 bits, or `{"kty":"EC",…}`. Other members are ignored, a private
    /// part is an error.
    init(jwk: JSON, at place: String) throws(JSONError) {
        var reader = try JSONReader(jwk, at: place)
        guard try reader.string("kty") == "RSA" else {
            self = .ecc(try CurvePoint(jwk: jwk, at: place))
            return
        }
        let modulus = try reader.base64URL("n")
        let exponent = try reader.base64URL("e")
        guard reader.optional("d") == nil else { throw reader.error(at: "d", "is a private key; expected a public one") }
        guard let key = PolicyKey(modulus: modulus, exponent: exponent) else {
            throw reader.error(at: "n", "must be the modulus of an RSA key of 2048, 3072 or 4096 bits with e up to 4 bytes")
        }
        self = key
    }

    /// nil for a size that TPMs and systemd do not use.
    init?(modulus: [UInt8], exponent: [UInt8]) {
        guard [256, 384, 512].contains(modulus.count), modulus[0] & 0x80 != 0 else { return nil }
        guard (1...4).contains(exponent.count), exponent[0] != 0 else { return nil }
        self = .rsa(modulus: modulus, exponent: exponent)
    }

    /// The members that RFC 7638 hashes, and no others.
    var jwk: JSON {
        switch self {
        case .rsa(let modulus, let exponent):
            ["e": .string(Base64URL.encode(exponent)), "kty": "RSA", "n": .string(Base64URL.encode(modulus))]
        case .ecc(let point): point.jwk
        }
    }

    /// TPM2B_PUBLIC as systemd makes it: nameAlg SHA-256; userWithAuth, decrypt, sign; no schemes. Its hash is the name that
    /// the policy commits to, so every bit of it counts.
    var template: [UInt8] {
        var area = TPMBytes()
        let isRSA = if case .rsa = self { true } else { false }
        area.add(isRSA ? 0x0001 : 0x0023, TPMHash.sha256.identifier)
        area.add(0x0006, 0x0040)
        area.add(0)  // authPolicy
        area.add(0x0010, 0x0010)  // neither a cipher nor a scheme
        switch self {
        case .rsa(let modulus, let exponent):
            area.add(UInt16(modulus.count * 8))
            // 2^16 + 1 is written as 0.
            let bytes = exponent == [1, 0, 1] ? [] : exponent
            area.bytes += [UInt8](repeating: 0, count: 4 - bytes.count) + bytes
            area.add(prefixed: modulus)
        case .ecc(let point):
            area.add(point.curve.tpmIdentifier, 0x0010)
            area.add(prefixed: point.x)
            area.add(prefixed: point.y)
        }
        return area.prefixed
    }

    /// systemd's `pkfp`: SHA-256 of what libcrypto's i2d_PublicKey writes, which is the RSAPublicKey of PKCS #1 (not the
    /// SubjectPublicKeyInfo), or the uncompressed point.
    var fingerprint: [UInt8] {
        switch self {
        case .rsa(let modulus, let exponent):
            Digest.sha256(DER.sequence(DER.unsigned(modulus) + DER.unsigned(exponent)))
        case .ecc(let point): Digest.sha256([4] + point.x + point.y)
        }
    }

    /// TPMT_SIGNATURE with SHA-256 from a signature as systemd's file has it: PKCS #1 v1.5, or the DER of r and s. nil
    /// where it cannot be one of this key.
    func signature(_ bytes: [UInt8]) -> [UInt8]? {
        var area = TPMBytes()
        switch self {
        case .rsa(let modulus, _):
            guard bytes.count == modulus.count else { return nil }
            area.add(0x0014, TPMHash.sha256.identifier)
            area.add(prefixed: bytes)
        case .ecc(let point):
            guard let (r, s) = ecdsaHalves(of: bytes, length: point.curve.length) else { return nil }
            area.add(0x0018, TPMHash.sha256.identifier)
            area.add(prefixed: r)
            area.add(prefixed: s)
        }
        return area.bytes
    }
}

extension CurvePoint.Curve {
    /// TPM_ECC_CURVE.
    fileprivate var tpmIdentifier: UInt16 {
        switch self {
        case .p256: 0x0003
        case .p384: 0x0004
        case .p521: 0x0005
        }
    }
}

/// The little of DER that a PKCS #1 public key takes.
private enum DER {
    static func unsigned(_ bytes: [UInt8]) -> [UInt8] { element(0x02, (bytes[0] & 0x80 == 0 ? [] : [0]) + bytes) }

    static func sequence(_ content: [UInt8]) -> [UInt8] { element(0x30, content) }

    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        guard count > 0x7f else { return [tag, UInt8(count)] + content }
        let length = count > 0xff ? [UInt8(count >> 8), UInt8(count & 0xff)] : [UInt8(count)]
        return [tag, 0x80 | UInt8(length.count)] + length + content
    }
}
