// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import PinKit
internal import Synchronization

/// The keys that replicas share, as the store has them: read anew every few seconds, so that what one replica makes is known to
/// all before it is used, and at once where something comes that no key at hand made (docs/spec/broker.md §5.2).
package final class KeyRing: Sendable {
    private let source: (directory: BrokerDirectory, store: Store)?
    private let audit: SigningKey
    private let held: Mutex<Held>

    private struct Held {
        var keys: KeySet?
        /// What `keys` says at `moment`.
        var current: BrokerKeys
        var moment: Int64
        var askedAt: Int64
    }

    /// Reads the keys. Those that the store lacks come from files of an earlier version, or are made.
    package init(_ directory: BrokerDirectory, _ store: Store, at now: Int64) throws(BrokerError) {
        source = (directory, store)
        audit = try KeyFile.signingKey(directory.auditKey)
        let keys = try KeySet(directory.firstKeys(in: store, at: now), directory.resourceSealers())
        held = Mutex(Held(keys: keys, current: keys.keys(at: now, audit: audit), moment: now, askedAt: now))
    }

    /// Keys that never change.
    package init(fixed keys: BrokerKeys) {
        source = nil
        audit = keys.audit
        held = Mutex(Held(keys: nil, current: keys, moment: 0, askedAt: 0))
    }

    /// The keys as they are now, as far as this replica knows.
    package func keys(at now: Int64) -> BrokerKeys {
        held.withLock { held in
            if now != held.moment, let keys = held.keys {
                held.current = keys.keys(at: now, audit: audit)
                held.moment = now
            }
            return held.current
        }
    }

    /// What `body` makes of the keys; where that is nothing, of those that the store has by then. So something that another replica
    /// made with a key that is news here is understood. Blocks: the store may be asked, once a second at most.
    func search<Value>(at now: Int64, _ body: (BrokerKeys) -> Value?) -> Value? {
        if let value = body(keys(at: now)) { return value }
        guard mayAsk(at: now), (try? reread(at: now)) != nil else { return nil }
        return body(keys(at: now))
    }

    /// Reads the keys anew; those of before stay where that fails. Blocks.
    package func reread(at now: Int64) throws(BrokerError) {
        guard let (directory, store) = source else { return }
        try take(store.keys(), directory, at: now)
    }

    /// The same; and brings the store and `public.json` up to date with them.
    func renew(at now: Int64) throws(BrokerError) {
        guard let (directory, store) = source else { return }
        let stored = try store.keys()
        try take(stored, directory, at: now)
        try store.forgetKeys(stored, at: now)
        try directory.publish(keys(at: now))
    }

    private func take(_ stored: [StoredKey], _ directory: BrokerDirectory, at now: Int64) throws(BrokerError) {
        let keys = try KeySet(stored, directory.resourceSealers())
        let current = keys.keys(at: now, audit: audit)
        held.withLock { held in
            held.keys = keys
            held.current = current
            held.moment = now
        }
    }

    private func mayAsk(at now: Int64) -> Bool {
        guard source != nil else { return false }
        return held.withLock { held in
            guard now != held.askedAt else { return false }
            held.askedAt = now
            return true
        }
    }
}
