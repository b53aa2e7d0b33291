// SPDX-License-Identifier: Apache-2.0
package import PinKit
internal import Synchronization

/// Writes one replica's audit log: a chain in which each entry's hash covers the entry and the hash before it, so that its last
/// hash, which the replica signs, stands for all of them (docs/spec/broker.md §6.1).
package final class AuditChain: Sendable {
    static let hashLength = 32
    /// What the first entry of a chain follows.
    static let start = [UInt8](repeating: 0, count: hashLength)

    private let key: SigningKey
    private let store: Store
    private let waiting = Mutex<[Batch]>([])
    private let writing = Mutex(())

    /// Makes the replica known to the store.
    package init(key: SigningKey, store: Store, at now: Int64) throws(BrokerError) {
        self.key = key
        self.store = store
        try store.register(replica: key, at: now)
    }

    package var replica: String { key.publicKey.thumbprint }

    /// Adds `entries` in one transaction. They are on the disk when this returns the head that covers them.
    ///
    /// A transaction waits for a disk, and only one can add to a chain: so whoever comes while one is under way goes into the next
    /// one together.
    package func record(_ entries: [AuditEntry], at now: Int64) throws(BrokerError) -> AuditHead {
        let batch = Batch(entries)
        waiting.withLock { $0.append(batch) }
        return try writing.withLock { _ throws(BrokerError) in
            if let done = batch.result.withLock({ $0 }) { return try done.get() }
            let batches = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            let result = Result { () throws(BrokerError) in
                try store.record(batches.flatMap(\.entries), by: key, at: now)
            }
            for batch in batches { batch.result.withLock { $0 = result } }
            return try result.get()
        }
    }

    /// Does what `change` does to the store and adds the entry that it returns, both or neither. They are on the disk when this
    /// returns. `change` may run more than once.
    func record<Value: Sendable>(
        at now: Int64, _ change: @Sendable (any Transaction) throws -> (Value, AuditEntry)
    ) throws(BrokerError) -> (value: Value, entry: AuditEntry, head: AuditHead) {
        try writing.withLock { _ throws(BrokerError) in try store.record(by: key, at: now, change) }
    }

    /// What one caller adds, and what became of it.
    private final class Batch: Sendable {
        let entries: [AuditEntry]
        let result = Mutex<Result<AuditHead, BrokerError>?>(nil)

        init(_ entries: [AuditEntry]) { self.entries = entries }
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
