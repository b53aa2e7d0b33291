// SPDX-License-Identifier: Apache-2.0
package import BrokerProtocol
package import PinKit

/// `tee-pubkey` of a KBS client: the one-time key of the guest that its evidence vouches for and answers are encrypted to.
package enum GuestTEEKey: Sendable, Equatable {
    /// On P-256, P-384 or P-521: `ECDH-ES+A256KW`.
    case ec(CurvePoint)
    /// `n` of 256 to 512 bytes, `e` of at most 8.
    case rsa(n: [UInt8], e: [UInt8], Padding)

    package enum Padding: String, Sendable {
        case oaep = "RSA-OAEP-256"
        /// Of protocol 0.1.1, whose clients know no other.
        case pkcs1 = "RSA1_5"
    }

    private static let modulusCount = 256...512

    package init(_ json: JSON, of version: KBSVersion, at place: String = "tee-pubkey") throws(JSONError) {
        // Members that nobody here knows are no part of what the evidence covers.
        var reader = try JSONReader(json, at: place)
        let algorithm = try reader.string("alg")
        switch (try reader.string("kty"), algorithm, version) {
        case ("EC", "ECDH-ES+A256KW", _): self = .ec(try CurvePoint(jwk: json, at: place))
        case ("RSA", Padding.oaep.rawValue, _): self = try Self.rsa(&reader, .oaep)
        case ("RSA", Padding.pkcs1.rawValue, .v0_1_1): self = try Self.rsa(&reader, .pkcs1)
        default: throw reader.error(at: "alg", "must be ECDH-ES+A256KW or RSA-OAEP-256")
        }
    }

    private static func rsa(_ reader: inout JSONReader, _ padding: Padding) throws(JSONError) -> GuestTEEKey {
        let n = try reader.base64URL("n")
        let e = try reader.base64URL("e")
        guard modulusCount.contains(n.count), n.first != 0 else {
            throw reader.error(at: "n", "must be 2048 to 4096 bits")
        }
        guard (1...8).contains(e.count) else { throw reader.error(at: "e", "must be 1 to 8 bytes") }
        return .rsa(n: n, e: e, padding)
    }

    package var jwk: JSON {
        switch self {
        case .ec(let point):
            var members = point.jwk.object ?? [:]
            members["alg"] = "ECDH-ES+A256KW"
            return .object(members)
        case .rsa(let n, let e, let padding):
            return [
                "alg": .string(padding.rawValue), "e": .string(Base64URL.encode(e)), "kty": "RSA",
                "n": .string(Base64URL.encode(n)),
            ]
        }
    }
}
