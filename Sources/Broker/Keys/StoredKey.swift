// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import PinKit

/// A key as the store has it: sealed with the resource key, for all replicas that have that one.
struct StoredKey: Sendable {
    let purpose: KeyPurpose
    /// Follows from the key, so that replicas which bring the same one bring it once.
    let id: String
    /// Empty where it is retired.
    let sealed: [UInt8]
    /// Which resource key it is sealed with.
    let sealerID: String
    let madeAt: Int64
    let activeAt: Int64

    var isRetired: Bool { sealed.isEmpty }

    /// A new key. `host`: whom the certificate of a TLS key is for.
    static func made(
        _ purpose: KeyPurpose, host: String, sealedBy sealer: Sealer, at now: Int64, activeAt: Int64
    ) throws -> StoredKey {
        let content: SecretBytes =
            switch purpose {
            case .envelope: try AgreementKey.generate().jwk()
            case .token: try SigningKey.generate().pem()
            case .cookie, .nonce: try SecretBytes.random(count: Sealer.keyLength)
            case .tls: TLSKey.content(try TLSIdentity.selfSigned(host: host, now: now))
            }
        return try StoredKey(purpose, content, sealedBy: sealer, at: now, activeAt: activeAt)
    }

    /// Throws where `content` is no key for that purpose.
    init(
        _ purpose: KeyPurpose, _ content: borrowing SecretBytes, sealedBy sealer: Sealer, at now: Int64, activeAt: Int64
    ) throws {
        id =
            switch purpose {
            case .envelope: try AgreementKey(jwk: content).publicKey.thumbprint
            case .token: try SigningKey(pem: content).publicKey.thumbprint
            case .cookie, .nonce: try Sealer(key: content.copy()).id
            case .tls: try TLSKey(content).id
            }
        self.purpose = purpose
        sealed = try sealer.seal(content, "broker key", context: Self.context(purpose, id))
        sealerID = sealer.id
        madeAt = now
        self.activeAt = activeAt
    }

    /// nil for a purpose that a newer version knows.
    init?(_ record: Record) throws {
        guard let purpose = KeyPurpose(rawValue: try record.text("purpose")) else { return nil }
        guard let sealed = try Base64URL.decode(record.text("sealed")) else {
            throw BrokerError("the store's \(purpose.rawValue) key \(try record.text("id")) is damaged")
        }
        self.purpose = purpose
        id = try record.text("id")
        self.sealed = sealed
        sealerID = try record.text("key_id")
        madeAt = try record.integer("made_at")
        activeAt = try record.integer("active_at")
    }

    /// Throws where it is sealed with none of `sealers`, or damaged.
    func open(_ sealers: [Sealer]) throws(BrokerError) -> SecretBytes {
        guard let sealer = sealers.first(where: { $0.id == sealerID }) else {
            throw BrokerError(
                "the store's keys are sealed with resource key \(sealerID), which this directory does not have",
                hint: "copy resource.key, mode 0600, from the replica that made the store or rekeyed")
        }
        guard let content = sealer.open(sealed, "broker key", context: Self.context(purpose, id)) else {
            throw BrokerError("the store's \(purpose.rawValue) key \(id) is damaged", hint: "restore a backup")
        }
        return content
    }

    /// The same key, sealed with `newest`.
    func resealed(_ sealers: [Sealer], by newest: Sealer) throws -> StoredKey {
        try StoredKey(purpose, open(sealers), sealedBy: newest, at: madeAt, activeAt: activeAt)
    }

    private static func context(_ purpose: KeyPurpose, _ id: String) -> [UInt8] { Array("\(purpose.rawValue) \(id)".utf8) }
}
