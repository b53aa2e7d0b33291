// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// How the keys that a message was made with stand today.
package struct TangRotation: Sendable, Equatable {
    /// As the message has it.
    package let url: String
    /// S256 of the message's keys that the server does not advertise any more. It may still answer for them.
    package let missing: [String]
    /// Whether the key that opens the message is among those.
    package let isExchangeKeyMissing: Bool
}

extension TangPin {
    /// Compares the keys in the header of `message` with the server's advertisement of now; its key is not used.
    ///
    /// Who answers is not known to be the server: this is for a person to be told, not to trust new keys by.
    package func rotation(of message: JWE, before deadline: Deadline) throws(PinError) -> TangRotation {
        let header = try TangHeader(message)
        let server = TangServer(url: header.url, deadline: deadline)
        let advertised = try server.advertisement(signedBy: nil).keys.keys.compactMap { KeySet.thumbprint(of: $0, .sha256) }
        let missing = header.keys.compactMap { KeySet.thumbprint(of: $0, .sha256) }.filter { !advertised.contains($0) }
        let exchange = KeySet.thumbprint(of: header.serverKey.jwk, .sha256) ?? ""
        return TangRotation(url: header.url, missing: missing, isExchangeKeyMissing: missing.contains(exchange))
    }
}
