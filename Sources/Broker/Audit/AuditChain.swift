// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// Writes one replica's audit log: a chain in which each entry's hash covers the entry and the hash before it, so that its last
/// hash, which the replica signs, stands for all of them (docs/spec/broker.md §6.1).
package final class AuditChain: Sendable {
    static let hashLength = 32
    /// What the first entry of a chain follows.
    static let start = [UInt8](repeating: 0, count: hashLength)

    private let key: SigningKey
    private let store: Store

    /// Makes the replica known to the store.
    package init(key: SigningKey, store: Store, at now: Int64) throws(BrokerError) {
        self.key = key
        self.store = store
        try store.register(replica: key, at: now)
    }

    package var replica: String { key.publicKey.thumbprint }

    /// Adds `entries` in one transaction. They are on the disk when this returns the head that covers them.
    package func record(_ entries: [AuditEntry], at now: Int64) throws(BrokerError) -> AuditHead {
        try store.record(entries, by: key, at: now)
    }

    /// Of an entry as it is listed, `hash` left out; nil where there is no more to number.
    package static func hash(of entry: AuditEntry, at place: AuditPlace, after previous: [UInt8]) -> [UInt8] {
        Digest.sha256(previous + Array(JSON.object(entry.members(at: place)).canonical.utf8))
    }
}

/// Where an entry stands.
public struct AuditPlace: Sendable, Hashable {
    /// Thumbprint of the replica's audit key.
    public let replica: String
    /// 1 for the first.
    public let sequence: Int64

    package init(replica: String, sequence: Int64) {
        self.replica = replica
        self.sequence = sequence
    }
}
