// SPDX-License-Identifier: Apache-2.0
internal import Glibc
package import PinKit
internal import Synchronization

/// Writes one replica's audit log: a chain in which each entry's hash covers the entry and the hash before it, so that its last
/// hash, which the replica signs, stands for all of them (docs/spec/broker.md §6.1).
package final class AuditChain: Sendable {
    static let hashLength = 32
    /// What the first entry of a chain follows.
    static let start = [UInt8](repeating: 0, count: hashLength)

    /// From one transaction to the next, while there is something to write: each costs a signature, and as much besides as its
    /// entries do.
    private static let pace: Duration = .milliseconds(4)

    private let key: SigningKey
    private let store: Store
    private let waiting = Mutex<[Waiting]>([])
    /// When the last transaction began.
    private let writing = Mutex(ContinuousClock.now - AuditChain.pace)

    /// Makes the replica known to the store.
    package init(key: SigningKey, store: Store, at now: Int64) throws(BrokerError) {
        self.key = key
        self.store = store
        try store.register(replica: key, at: now)
    }

    package var replica: String { key.publicKey.thumbprint }

    /// Adds `entries` in one transaction. They are on the disk when this returns the head that covers them.
    package func record(_ entries: [AuditEntry], at now: Int64) throws(BrokerError) -> AuditHead {
        let head = try record(AuditBatch(entries: entries, stamp: nil), at: now)
        guard let head else { throw BrokerError("cannot write the audit log") }
        return head
    }

    /// The same for decisions that hold by ``StandingStamp`` only: nil, and nothing is added, where the store has another one.
    ///
    /// A transaction waits for a disk, and only one can add to a chain: so whoever comes while one is under way, or soon after,
    /// goes into the next one together.
    func record(_ batch: AuditBatch, at now: Int64) throws(BrokerError) -> AuditHead? {
        let mine = Waiting(batch)
        waiting.withLock { $0.append(mine) }
        return try writing.withLock { last throws(BrokerError) in
            if let done = mine.result.withLock({ $0 }) { return try done.get() }
            Self.pause(until: last + Self.pace)
            last = .now
            let group = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            do throws(BrokerError) {
                let heads = try store.record(group.map(\.batch), by: key, at: now)
                for (one, head) in zip(group, heads) { one.result.withLock { $0 = .success(head) } }
            } catch {
                for one in group { one.result.withLock { $0 = .failure(error) } }
            }
            return try mine.result.withLock { $0 }?.get()
        }
    }

    /// Does what `change` does to the store and adds the entry that it returns, both or neither. They are on the disk when this
    /// returns. `change` may run more than once.
    func record<Value: Sendable>(
        at now: Int64, _ change: @Sendable (any Transaction) throws -> (Value, AuditEntry)
    ) throws(BrokerError) -> (value: Value, entry: AuditEntry, head: AuditHead) {
        try writing.withLock { _ throws(BrokerError) in try store.record(by: key, at: now, change) }
    }

    private static func pause(until moment: ContinuousClock.Instant) {
        let rest = (moment - .now).microseconds
        if rest > 0 { usleep(UInt32(clamping: rest)) }
    }

    /// What one caller adds, and what became of it.
    private final class Waiting: Sendable {
        let batch: AuditBatch
        let result = Mutex<Result<AuditHead?, BrokerError>?>(nil)

        init(_ batch: AuditBatch) { self.batch = batch }
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

/// Entries that go into the log together.
struct AuditBatch: Sendable {
    let entries: [AuditEntry]
    /// By which the decisions hold; nil for those that hold whatever the store says meanwhile.
    let stamp: Int64?
}
