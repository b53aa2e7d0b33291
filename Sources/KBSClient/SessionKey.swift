// SPDX-License-Identifier: Apache-2.0
package import BrokerProtocol
package import PinKit

/// A guest's one-time key of a session: the evidence vouches for it, and resources are encrypted to it.
package enum SessionKey: Sendable {
    case ec(AgreementKey)
    /// For servers of protocol 0.1.1, which know nothing else.
    case rsa(LegacyResponseKey)

    package init(for version: KBSVersion) throws(PinError) {
        self = version == .v0_1_1 ? .rsa(try .generate()) : .ec(try .generate())
    }

    package var jwk: JSON {
        switch self {
        case .ec(let key): GuestKey.write(key.publicKey)
        case .rsa(let key): key.publicJWK
        }
    }

    /// The resource in an answer's body. `.refused` where it is not encrypted to this key, or was changed.
    package func open(_ body: [UInt8]) throws(PinError) -> SecretBytes {
        let json: JSON
        do throws(JSONError) {
            json = try JSON(parsing: body)
        } catch {
            throw JWE.malformed(error.description)
        }
        switch self {
        case .ec(let key): return try JWE(flattened: json).open(with: key)
        case .rsa(let key): return try key.open(json)
        }
    }
}
