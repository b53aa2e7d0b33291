// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// The secrets of a running broker: one key per purpose, so that each can be replaced by itself.
public struct BrokerKeys: Sendable {
    /// Opens envelopes.
    package let envelope: AgreementKey
    /// Seals and opens nonces.
    package let nonces: NonceSealer

    package init(envelope: AgreementKey, nonces: NonceSealer) {
        self.envelope = envelope
        self.nonces = nonces
    }

    init(envelope: String, nonce: String) throws(BrokerError) {
        let jwk = try KeyFile.readSecret(envelope)
        self.envelope = try BrokerError.wrapping(envelope) { () throws(PinError) in try AgreementKey(jwk: jwk) }
        guard let sealer = NonceSealer(key: try KeyFile.readSecret(nonce)) else {
            throw BrokerError("\(nonce) must hold \(NonceSealer.keyLength) bytes")
        }
        self.nonces = sealer
    }

    /// Writes a new set of keys and returns the public part of the envelope key.
    static func generate(envelope: String, nonce: String) throws(BrokerError) -> PublicKey {
        let key = try BrokerError.wrapping("cannot make a key", AgreementKey.generate)
        try KeyFile.create(envelope, secret: try BrokerError.wrapping("cannot write a key", key.jwk))
        let seal = try BrokerError.wrapping("cannot make a key") { () throws(PinError) in
            try SecretBytes.random(count: NonceSealer.keyLength)
        }
        try KeyFile.create(nonce, secret: seal)
        return key.publicKey
    }
}
