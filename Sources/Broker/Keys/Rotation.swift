// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import Glibc
internal import PinKit

extension BrokerDirectory {
    /// The keys in the store, by purpose, the newest first.
    public func keyDescriptions(at now: Int64) throws(BrokerError) -> [KeyDescription] {
        let stored = try firstKeys(in: Store(in: self), at: now)
        return KeyPurpose.allCases.flatMap { purpose in
            let keys = stored.filter { $0.purpose == purpose }
            let current = StoredKey.current(keys, at: now)
            return keys.map { key in
                let state: KeyDescription.State =
                    key.isRetired ? .retired : key.id == current?.id ? .current : key.activeAt > now ? .next : .earlier
                return KeyDescription(
                    purpose: purpose, id: key.id, state: state, madeAt: key.madeAt, activeAt: key.activeAt)
            }
        }
    }

    /// Makes a new key, which all replicas use from its `activeAt` on. What earlier keys made stays good: for nonces, cookies and
    /// tokens as long as such things live, for envelopes until their key is retired.
    @discardableResult
    public func rotate(_ purpose: KeyPurpose, now: Int64) throws(BrokerError) -> KeyDescription {
        let store = try Store(in: self)
        _ = try firstKeys(in: store, at: now)
        let sealer = try resourceSealers()[0]
        let stored = try store.addKeys { stored in
            let latest = stored.first { $0.purpose == purpose }?.activeAt ?? 0
            return [try StoredKey.made(purpose, sealedBy: sealer, at: now, activeAt: max(now + purpose.lead, latest + 1))]
        }
        guard let newest = stored.first(where: { $0.purpose == purpose }) else { throw BrokerError("the new key is gone") }
        if purpose.binds { try publish(stored, at: newest.activeAt) }
        try store.forgetKeys(stored, at: now)
        return KeyDescription(
            purpose: purpose, id: newest.id, state: newest.activeAt > now ? .next : .current, madeAt: now,
            activeAt: newest.activeAt)
    }

    /// Forgets a key that is not the current one, for good: what was made with it is lost.
    public func retire(_ purpose: KeyPurpose, _ id: String, now: Int64) throws(BrokerError) {
        let store = try Store(in: self)
        let sealer = try firstSealer(in: store, at: now)
        try store.write("retire a key") { transaction in
            let keys = try KeyTable.all(transaction).filter { $0.purpose == purpose }
            guard let key = keys.first(where: { $0.id == id }) else {
                throw BrokerError(
                    "there is no \(purpose.rawValue) key \(id)", hint: "see: cvm-clevis-broker keys list \(path)")
            }
            guard !key.isRetired else { throw BrokerError("\(purpose.rawValue) key \(id) is retired already") }
            guard key.id != StoredKey.current(keys, at: now)?.id else {
                throw BrokerError(
                    "\(id) is the current \(purpose.rawValue) key",
                    hint: "make another first: cvm-clevis-broker rotate \(purpose.rawValue) \(path)")
            }
            try KeyTable.retire(purpose, id, transaction)
        }
        // Nobody reads it any more; but retired is retired.
        let file = formerFile(of: purpose)
        guard FileIO.exists(file), let content = try? KeyFile.readSecret(file),
            (try? StoredKey(purpose, content, sealedBy: sealer, at: now, activeAt: 0))?.id == id
        else { return }
        guard unsafe unlink(file) == 0 else { throw BrokerError("cannot remove \(file), which holds the retired key") }
    }

    /// Brings `public.json` up to the keys in the store.
    func publish(_ stored: [StoredKey], at now: Int64) throws(BrokerError) {
        let keys = try KeySet(stored, resourceSealers()).keys(at: now, audit: KeyFile.signingKey(auditKey))
        try publish(keys)
    }

    func publish(_ keys: BrokerKeys) throws(BrokerError) {
        let before = try publicDescription()
        let after = PublicDescription(url: before.url, broker: keys.envelopes.current.publicKey, tls: before.tls)
        guard after != before else { return }
        try write(after)
    }

    func write(_ description: PublicDescription) throws(BrokerError) {
        try BrokerError.wrapping { () throws(FileError) in
            try FileIO.replace(publicFile, Array((description.json.pretty + "\n").utf8))
        }
    }

    private func firstSealer(in store: Store, at now: Int64) throws(BrokerError) -> Sealer {
        _ = try firstKeys(in: store, at: now)
        return try resourceSealers()[0]
    }
}

extension StoredKey {
    /// Of the keys of one purpose, the newest first, the one that new things are made with.
    static func current(_ keys: [StoredKey], at now: Int64) -> StoredKey? {
        let kept = keys.filter { !$0.isRetired }
        return kept.isEmpty ? nil : kept[KeyTiming.current(of: kept.map(\.activeAt), at: now)]
    }
}

extension Store {
    /// Takes those of `stored` out of the store that open nothing any more.
    func forgetKeys(_ stored: [StoredKey], at now: Int64) throws(BrokerError) {
        let over = KeyPurpose.allCases.filter { $0.overlap != nil }.flatMap { purpose in
            let keys = stored.filter { $0.purpose == purpose }
            return keys.dropFirst(KeyTiming.last(of: keys.map(\.activeAt), purpose, at: now) + 1)
        }
        guard !over.isEmpty else { return }
        try write("forget a key") { transaction in
            for key in over {
                try transaction.rows(
                    "DELETE FROM broker_key WHERE purpose = ?1 AND id = ?2", [key.purpose.rawValue, key.id])
            }
        }
    }
}
