// SPDX-License-Identifier: Apache-2.0

/// A P-256 public key as a JWK (RFC 7518 §6.2.1): what an owner, a broker or a guest's one-time key is known by.
public struct PublicKey: Sendable, Equatable {
    /// Affine coordinates, 32 bytes each, big-endian. That they lie on the curve is checked where the key is used.
    public let x: [UInt8]
    public let y: [UInt8]

    /// From `{"kty":"EC","crv":"P-256","x":…,"y":…}`. Members that say how the key is meant to be used (`alg`, `use`,
    /// `key_ops`, `kid`) are allowed and dropped; a private part is an error.
    public init(jwk: JSON, at place: String = "") throws(JSONError) {
        var reader = try JSONReader(jwk, at: place)
        guard try reader.string("kty") == "EC" else { throw reader.error(at: "kty", "must be EC") }
        guard try reader.string("crv") == "P-256" else { throw reader.error(at: "crv", "must be P-256") }
        self.x = try reader.base64URL("x", count: 32)
        self.y = try reader.base64URL("y", count: 32)
        for hint in ["alg", "use", "key_ops", "kid"] { _ = reader.optional(hint) }
        guard reader.optional("d") == nil else { throw reader.error(at: "d", "is a private key; expected a public one") }
        try reader.finish()
    }

    package init(x: [UInt8], y: [UInt8]) {
        self.x = x
        self.y = y
    }

    /// The four members that RFC 7638 hashes, and no others.
    public var jwk: JSON {
        ["crv": "P-256", "kty": "EC", "x": .string(Base64URL.encode(x)), "y": .string(Base64URL.encode(y))]
    }

    /// RFC 7638 thumbprint with SHA-256, 43 characters of base64url: the name of this key in headers and stores.
    public var thumbprint: String {
        let members = #"{"crv":"P-256","kty":"EC","x":"\#(Base64URL.encode(x))","y":"\#(Base64URL.encode(y))"}"#
        return Base64URL.encode(Digest.sha256(Array(members.utf8)))
    }

    /// SEC 1 uncompressed point, 65 bytes.
    package var point: [UInt8] { [4] + x + y }
}
