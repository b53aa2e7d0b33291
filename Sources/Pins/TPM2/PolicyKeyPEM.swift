// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

extension PolicyKey {
    /// The public key in a PEM file ("PUBLIC KEY"); nil where there is none of a kind that a TPM checks.
    init?(pem text: [UInt8]) {
        defer { ERR_clear_error() }
        let parsed = unsafe withBIO(over: text) { bio in unsafe PEM_read_bio_PUBKEY(bio, nil, nil, nil) }
        guard let key = unsafe parsed else { return nil }
        defer { unsafe EVP_PKEY_free(key) }
        if let modulus = unsafe number("n", of: key), let exponent = unsafe number("e", of: key) {
            self.init(modulus: modulus, exponent: exponent)
        } else if let curve = unsafe curve(of: key), let x = unsafe number("qx", of: key, length: curve.length),
            let y = unsafe number("qy", of: key, length: curve.length)
        {
            let point = JSON.object([
                "kty": "EC", "crv": .string(curve.rawValue), "x": .string(Base64URL.encode(x)),
                "y": .string(Base64URL.encode(y)),
            ])
            guard let point = try? CurvePoint(jwk: point) else { return nil }
            self = .ecc(point)
        } else {
            return nil
        }
    }
}

/// A parameter of a key as bytes, big-endian, `length` of them or as few as it takes.
private func number(_ name: String, of key: OpaquePointer, length: Int? = nil) -> [UInt8]? {
    var number: OpaquePointer?
    guard unsafe EVP_PKEY_get_bn_param(key, name, &number) == 1, let number = unsafe number else { return nil }
    defer { unsafe BN_free(number) }
    return unsafe bytes(of: number, length: length ?? (Int(BN_num_bits(number)) + 7) / 8)
}

private func bytes(of number: OpaquePointer?, length: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: length)
    return unsafe BN_bn2binpad(number, &bytes, Int32(length)) == Int32(length) ? bytes : nil
}

private func curve(of key: OpaquePointer) -> CurvePoint.Curve? {
    var name = [CChar](repeating: 0, count: 32)
    var count = 0
    guard unsafe EVP_PKEY_get_group_name(key, &name, name.count, &count) == 1, count < name.count else { return nil }
    switch String(decoding: name.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self) {
    case "prime256v1": return .p256
    case "secp384r1": return .p384
    case "secp521r1": return .p521
    default: return nil
    }
}

/// r and s of `length` bytes each from an ECDSA signature in DER; nil where that is not exactly one, or a half is longer.
func ecdsaHalves(of der: [UInt8], length: Int) -> (r: [UInt8], s: [UInt8])? {
    defer { ERR_clear_error() }
    return unsafe der.withUnsafeBufferPointer { der in
        var cursor = der.baseAddress
        guard let parsed = unsafe d2i_ECDSA_SIG(nil, &cursor, der.count) else { return nil }
        defer { unsafe ECDSA_SIG_free(parsed) }
        guard let start = der.baseAddress, unsafe cursor == start + der.count else { return nil }
        guard let r = unsafe bytes(of: ECDSA_SIG_get0_r(parsed), length: length),
            let s = unsafe bytes(of: ECDSA_SIG_get0_s(parsed), length: length)
        else { return nil }
        return (r, s)
    }
}
