// SPDX-License-Identifier: Apache-2.0
internal import FileIO
package import PinKit

/// The secrets of a running broker: one key per purpose, so that each can be replaced by itself.
public struct BrokerKeys: Sendable {
    /// Opens envelopes.
    package let envelope: AgreementKey
    /// Seals and opens nonces.
    package let nonces: NonceSealer
    /// Seals sessions of the KBS protocol into cookies and tokens.
    package let sessions: Sealer
    /// Signs attestation tokens.
    package let tokens: SigningKey
    /// Seals resources in the store.
    package let resources: Sealer
    /// Signs the heads of this replica's audit chain; no other replica has it.
    package let audit: SigningKey

    package init(
        envelope: AgreementKey, nonces: NonceSealer, sessions: Sealer, tokens: SigningKey, resources: Sealer,
        audit: SigningKey
    ) {
        self.envelope = envelope
        self.nonces = nonces
        self.sessions = sessions
        self.tokens = tokens
        self.resources = resources
        self.audit = audit
    }

    init(in directory: BrokerDirectory) throws(BrokerError) {
        let jwk = try KeyFile.readSecret(directory.envelopeKey)
        envelope = try BrokerError.wrapping(directory.envelopeKey) { () throws(PinError) in try AgreementKey(jwk: jwk) }
        guard let sealer = NonceSealer(key: try KeyFile.readSecret(directory.nonceKey)) else {
            throw BrokerError("\(directory.nonceKey) must hold \(NonceSealer.keyLength) bytes")
        }
        nonces = sealer
        sessions = try Self.sealer(directory.sessionKey)
        resources = try Self.sealer(directory.resourceKey)
        tokens = try Self.signingKey(directory.tokenKey)
        audit = try Self.signingKey(directory.auditKey)
    }

    /// Writes a new set of keys and returns the public part of the envelope key.
    static func generate(in directory: BrokerDirectory) throws(BrokerError) -> PublicKey {
        let key = try BrokerError.wrapping("cannot make a key", AgreementKey.generate)
        try KeyFile.create(directory.envelopeKey, secret: try BrokerError.wrapping("cannot write a key", key.jwk))
        try KeyFile.create(directory.nonceKey, secret: try seal())
        _ = try BrokerKeys(in: directory)
        return key.publicKey
    }

    // A directory that an older version made has none of these: they are made when they are first wanted.

    static func sealer(_ path: String) throws(BrokerError) -> Sealer {
        if !FileIO.exists(path) { try KeyFile.create(path, secret: try seal()) }
        let key = try KeyFile.readSecret(path)
        do throws(PinError) {
            return try Sealer(key: key)
        } catch {
            throw BrokerError("\(path): \(error)")
        }
    }

    static func signingKey(_ path: String) throws(BrokerError) -> SigningKey {
        if !FileIO.exists(path) {
            let key = try BrokerError.wrapping("cannot make a key", SigningKey.generate)
            try KeyFile.create(path, secret: try BrokerError.wrapping("cannot write a key", key.pem))
        }
        let pem = try KeyFile.readSecret(path)
        return try BrokerError.wrapping(path) { () throws(PinError) in try SigningKey(pem: pem) }
    }

    private static func seal() throws(BrokerError) -> SecretBytes {
        try BrokerError.wrapping("cannot make a key") { () throws(PinError) in
            try SecretBytes.random(count: Sealer.keyLength)
        }
    }
}
