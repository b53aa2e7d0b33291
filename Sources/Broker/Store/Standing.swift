// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import BrokerProtocol
internal import PinKit
internal import Synchronization

/// What the store knows about one envelope at the moment of a decision.
struct Standing: Sendable {
    /// nil where nobody of that thumbprint is enrolled.
    let owner: Owner?
    let isBindingRevoked: Bool
    let isChipRevoked: Bool
    /// The newest set of the name that the policy has, by the owner that the header names; nil where there is none.
    let references: SignedReferenceSet?
}

/// Answers what the store knows about envelopes, from memory where it can: owners and what is revoked. All of it is forgotten when a
/// stamp that is no longer the store's has been noticed, which is where decisions are written (``AuditChain``).
final class StandingDesk: Sendable {
    private struct Memory: Sendable {
        let stamp: Int64
        let revoked: Set<Revocation.Subject>
        /// Those that were asked for, by thumbprint. Who is not enrolled is looked up each time.
        var owners: [String: Owner] = [:]
    }

    private let store: Store
    private let memory = Mutex<Memory?>(nil)

    init(_ store: Store) { self.store = store }

    /// One entry per header, nil for nil, and the stamp by which they hold. `chip`: CHIP_ID or PPID in base64url.
    func standings(
        of headers: [EnvelopeHeader?], chip: String
    ) throws(BrokerError) -> (standings: [Standing?], stamp: Int64) {
        let known = memory.withLock { $0 }
        if let known, headers.allSatisfy({ Self.isEnough(known, for: $0) }) {
            return (headers.map { $0.map { Self.standing($0, chip, known, references: nil) } }, known.stamp)
        }
        return try store.read("look up owners") { transaction in
            let current = try Self.read(headers, known, transaction)
            memory.withLock { $0 = current }
            let standings = try headers.map { header in
                try header.map {
                    Self.standing($0, chip, current, references: try Self.references($0, transaction))
                }
            }
            return (standings, current.stamp)
        }
    }

    /// Forgets everything, where it is of `stamp`.
    func forget(_ stamp: Int64) {
        memory.withLock { memory in
            if memory?.stamp == stamp { memory = nil }
        }
    }

    /// Reference values are read each time: sets are as many and as long as owners like.
    private static func isEnough(_ memory: Memory, for header: EnvelopeHeader?) -> Bool {
        guard let header else { return true }
        return memory.owners[header.owner] != nil && header.policy["reference"] == nil
    }

    private static func standing(
        _ header: EnvelopeHeader, _ chip: String, _ memory: Memory, references: SignedReferenceSet?
    ) -> Standing {
        Standing(
            owner: memory.owners[header.owner],
            isBindingRevoked: memory.revoked.contains(.binding(header.id, owner: header.owner)),
            isChipRevoked: memory.revoked.contains(.chip(chip, owner: nil))
                || memory.revoked.contains(.chip(chip, owner: header.owner)),
            references: references)
    }

    /// What is known, or all that is revoked where that is of another stamp, and the owners of `headers`.
    private static func read(
        _ headers: [EnvelopeHeader?], _ known: Memory?, _ transaction: any Transaction
    ) throws -> Memory {
        let stamp = try StandingStamp.read(transaction)
        var memory =
            if let known, known.stamp == stamp { known } else {
                Memory(stamp: stamp, revoked: Set(try Store.revocations(transaction).map(\.subject)))
            }
        for name in Set(headers.compactMap { $0?.owner }) where memory.owners[name] == nil {
            memory.owners[name] = try Store.owner(thumbprint: name, transaction)
        }
        return memory
    }

    private static func references(
        _ header: EnvelopeHeader, _ transaction: any Transaction
    ) throws -> SignedReferenceSet? {
        try (header.policy["reference"]?.string).flatMap {
            try Store.references(named: $0, of: header.owner, transaction)
        }
    }
}
