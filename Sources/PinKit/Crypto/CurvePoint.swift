// SPDX-License-Identifier: Apache-2.0

/// A public point on one of NIST's curves: the key of a tang server, or what the two send each other.
package struct CurvePoint: Sendable, Equatable {
    package enum Curve: String, Sendable {
        case p256 = "P-256"
        case p384 = "P-384"
        case p521 = "P-521"

        /// Bytes of one coordinate.
        package var length: Int {
            switch self {
            case .p256: 32
            case .p384: 48
            case .p521: 66
            }
        }
    }

    package let curve: Curve
    /// Affine coordinates, `curve.length` bytes each, big-endian. That they lie on the curve is checked where they are used.
    package let x: [UInt8]
    package let y: [UInt8]

    init(curve: Curve, x: [UInt8], y: [UInt8]) {
        self.curve = curve
        self.x = x
        self.y = y
    }

    init(_ key: PublicKey) { self.init(curve: .p256, x: key.x, y: key.y) }

    /// From a JWK of type EC (RFC 7518 §6.2.1) without a private part; members that say what it is for are ignored.
    package init(jwk: JSON, at place: String = "") throws(JSONError) {
        var reader = try JSONReader(jwk, at: place)
        guard try reader.string("kty") == "EC" else { throw reader.error(at: "kty", "must be EC") }
        guard let curve = Curve(rawValue: try reader.string("crv")) else {
            throw reader.error(at: "crv", "must be P-256, P-384 or P-521")
        }
        self.curve = curve
        x = try reader.base64URL("x", count: curve.length)
        y = try reader.base64URL("y", count: curve.length)
        guard reader.optional("d") == nil else { throw reader.error(at: "d", "is a private key; expected a public one") }
    }

    /// The four members that RFC 7638 hashes, and no others.
    package var jwk: JSON {
        [
            "crv": .string(curve.rawValue), "kty": "EC", "x": .string(Base64URL.encode(x)),
            "y": .string(Base64URL.encode(y)),
        ]
    }

    /// SHA-256 of ``jwk``, as RFC 7638 has it.
    var thumbprint: String { Base64URL.encode(Digest.sha256(Array(jwk.canonical.utf8))) }
}
