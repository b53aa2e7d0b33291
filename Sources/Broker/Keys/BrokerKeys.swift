// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
package import PinKit

/// The secrets of a running broker at one moment: one key per purpose for what is made, and more for what was made before.
package struct BrokerKeys: Sendable {
    /// Open envelopes.
    package let envelopes: KeyGenerations<AgreementKey>
    /// Seal and open nonces.
    package let nonces: KeyGenerations<NonceSealer>
    /// Seal sessions of the KBS protocol into cookies and tokens.
    package let sessions: KeyGenerations<Sealer>
    /// Sign attestation tokens.
    package let tokens: KeyGenerations<SigningKey>
    /// The TLS keys that guests may pin, the one that is served with first; empty where certificate authorities vouch for the
    /// broker.
    package let tls: [TLSKey]
    /// Seals resources, and the other keys, in the store.
    package let resources: Sealer
    /// Signs the heads of this replica's audit chain; no other replica has it.
    package let audit: SigningKey

    package init(
        envelopes: KeyGenerations<AgreementKey>, nonces: KeyGenerations<NonceSealer>, sessions: KeyGenerations<Sealer>,
        tokens: KeyGenerations<SigningKey>, tls: [TLSKey] = [], resources: Sealer, audit: SigningKey
    ) {
        self.envelopes = envelopes
        self.nonces = nonces
        self.sessions = sessions
        self.tokens = tokens
        self.tls = tls
        self.resources = resources
        self.audit = audit
    }

    /// What `public.json` says about TLS; nil where it says nothing.
    var tlsPins: [UInt8]? { tls.isEmpty ? nil : tls.prefix(TLSPins.maximum).flatMap(\.pin) }
}

/// The keys of one purpose that are in use.
package struct KeyGenerations<Key: Sendable>: Sendable {
    /// What new things are made with.
    package let current: Key
    /// What earlier things were made with, and what other replicas may make things with by now.
    package let others: [Key]

    package init(current: Key, others: [Key] = []) {
        self.current = current
        self.others = others
    }

    /// What `body` makes of the first key that it makes anything of.
    func firstResult<Value: ~Copyable>(_ body: (Key) -> Value?) -> Value? {
        if let value = body(current) { return value }
        for key in others {
            if let value = body(key) { return value }
        }
        return nil
    }

    func first(where matches: (Key) -> Bool) -> Key? { firstResult { matches($0) ? $0 : nil } }
}
