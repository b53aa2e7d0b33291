// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What a key is for that replicas share and the store holds (docs/spec/broker.md §5.2).
public enum KeyPurpose: String, CaseIterable, Sendable {
    /// Opens envelopes; a private JWK.
    case envelope
    /// Signs attestation tokens; PKCS #8 PEM.
    case token
    /// Seals sessions of the KBS protocol; 32 bytes.
    case cookie
    /// Seals nonces; 32 bytes.
    case nonce
    /// Names the broker to guests that pin it: PKCS #8 PEM, and the certificate that it signed itself. There is none where
    /// certificate authorities vouch for the broker.
    case tls

    /// Whether something lies in guests that needs this very key, for nobody knows how long.
    var binds: Bool { self == .envelope || self == .tls }

    /// Whether the key before serves until it is retired, and this one is only announced meanwhile: of several TLS keys a server
    /// can show one, and guests that were bound earlier know no other.
    var isAnnounced: Bool { self == .tls }

    /// Seconds from making a key until it is used, in which every replica learns of it: three times what that takes by itself. A
    /// key that owners bind to is published at once.
    var lead: Int64 { binds ? 0 : 15 }

    /// Seconds for which a key goes on opening what it made when the next one has taken over: longer than any of that lives. nil
    /// where that is until it is retired.
    var overlap: Int64? { binds ? nil : 600 }
}

/// A key without the key.
public struct KeyDescription: Sendable, Equatable {
    public enum State: String, Sendable {
        /// Made, and about to be used; of TLS when the current one is retired.
        case next
        /// New things are made with it.
        case current
        /// Opens what it made before.
        case earlier
        /// Forgotten, by command.
        case retired
    }

    public let purpose: KeyPurpose
    /// Of envelope and token keys the thumbprint, of TLS keys the pin in base64url, of others 16 hexadecimal digits.
    public let id: String
    public let state: State
    /// Seconds since 1970.
    public let madeAt: Int64
    /// From when on it is used, seconds since 1970.
    public let activeAt: Int64

    /// For `keys list --json`.
    public var json: JSON {
        [
            "active_at": .integer(activeAt), "id": .string(id), "made_at": .integer(madeAt),
            "purpose": .string(purpose.rawValue), "state": .string(state.rawValue),
        ]
    }
}
