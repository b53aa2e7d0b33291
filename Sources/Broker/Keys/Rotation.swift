// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
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
                    key.isRetired
                    ? .retired
                    : key.id == current?.id ? .current : key.activeAt > current?.activeAt ?? 0 ? .next : .earlier
                return KeyDescription(
                    purpose: purpose, id: key.id, state: state, madeAt: key.madeAt, activeAt: key.activeAt)
            }
        }
    }

    /// Makes a new key, which all replicas use from its `activeAt` on. What earlier keys made stays good: for nonces, cookies and
    /// tokens as long as such things live, for envelopes until their key is retired. A TLS key is announced only, for bindings to
    /// pin, and served when the one before is retired.
    @discardableResult
    public func rotate(_ purpose: KeyPurpose, now: Int64) throws(BrokerError) -> KeyDescription {
        let store = try Store(in: self)
        _ = try firstKeys(in: store, at: now)
        let sealer = try resourceSealers()[0]
        let host = try publicDescription().url.host
        let stored = try store.addKeys { stored in
            let keys = stored.filter { $0.purpose == purpose }
            if purpose == .tls { try requireRoom(for: keys.filter { !$0.isRetired }) }
            let activeAt = max(now + purpose.lead, (keys.first?.activeAt ?? 0) + 1)
            return [try makeKey(purpose, host: host, sealedBy: sealer, at: now, activeAt: activeAt)]
        }
        guard let newest = stored.first(where: { $0.purpose == purpose }) else { throw BrokerError("the new key is gone") }
        if purpose.binds { try publish(stored, at: newest.activeAt) }
        try store.forgetKeys(stored, at: now)
        let isNext =
            newest.activeAt > now || StoredKey.current(stored.filter { $0.purpose == purpose }, at: now)?.id != newest.id
        return KeyDescription(
            purpose: purpose, id: newest.id, state: isNext ? .next : .current, madeAt: now, activeAt: newest.activeAt)
    }

    /// One TLS key is announced at a time: an envelope has room for two pins.
    private func requireRoom(for keys: [StoredKey]) throws(BrokerError) {
        guard let current = keys.last else {
            throw BrokerError(
                "this broker has no TLS key of its own",
                hint: "certificate authorities vouch for it: renew its certificate there")
        }
        guard keys.count < TLSPins.maximum else {
            throw BrokerError(
                "\(keys[0].id) is announced already as the next TLS key",
                hint: "when every binding pins it: cvm-clevis-broker rotate tls \(path) --retire \(current.id)")
        }
    }

    /// Forgets a key that is not the current one, for good: what was made with it is lost. The current TLS key gives way to the
    /// announced one.
    public func retire(_ purpose: KeyPurpose, _ id: String, now: Int64) throws(BrokerError) {
        let store = try Store(in: self)
        _ = try firstKeys(in: store, at: now)
        let former = try formerKey(purpose, sealedBy: resourceSealers()[0], at: now)
        let stored = try store.write("retire a key") { transaction in
            let keys = try KeyTable.all(transaction).filter { $0.purpose == purpose }
            guard let key = keys.first(where: { $0.id == id }) else {
                throw BrokerError(
                    "there is no \(purpose.rawValue) key \(id)", hint: "see: cvm-clevis-broker keys list \(path)")
            }
            guard !key.isRetired else { throw BrokerError("\(purpose.rawValue) key \(id) is retired already") }
            let hasNext = purpose.isAnnounced && keys.contains { !$0.isRetired && $0.id != id }
            guard hasNext || key.id != StoredKey.current(keys, at: now)?.id else {
                throw BrokerError(
                    "\(id) is the current \(purpose.rawValue) key",
                    hint: "make another first: cvm-clevis-broker rotate \(purpose.rawValue) \(path)")
            }
            try KeyTable.retire(purpose, id, transaction)
            return try KeyTable.all(transaction)
        }
        if purpose.isAnnounced { try publish(stored, at: now) }
        // Nobody reads it any more; but retired is retired.
        guard former?.id == id else { return }
        let file = formerFile(of: purpose)
        guard unsafe unlink(file) == 0 else { throw BrokerError("cannot remove \(file), which holds the retired key") }
    }

    /// Brings `public.json` up to the keys in the store.
    func publish(_ stored: [StoredKey], at now: Int64) throws(BrokerError) {
        try publish(KeySet(stored, resourceSealers()).keys(at: now, audit: KeyFile.signingKey(auditKey)))
    }

    /// The certificate first: who finds a new pin finds what has it.
    func publish(_ keys: BrokerKeys) throws(BrokerError) {
        let before = try publicDescription()
        if before.tls != nil, let certificate = keys.tls.first?.certificate { try keep(certificate, at: tlsCertificate) }
        // Where it has no pin, certificate authorities vouch for what is served.
        let pins = before.tls == nil ? nil : keys.tlsPins
        let after = PublicDescription(url: before.url, broker: keys.envelopes.current.publicKey, tls: pins)
        if after != before { try write(after) }
    }

    private func keep(_ text: String, at path: String) throws(BrokerError) {
        if FileIO.exists(path) {
            guard try KeyFile.readText(path) != text else { return }
        }
        try replace(path, text)
    }

    func write(_ description: PublicDescription) throws(BrokerError) {
        try replace(publicFile, description.json.pretty + "\n")
    }

    func replace(_ path: String, _ text: String) throws(BrokerError) {
        try BrokerError.wrapping { () throws(FileError) in try FileIO.replace(path, Array(text.utf8)) }
    }
}

extension StoredKey {
    /// Of the keys of one purpose, the newest first, the one that new things are made with.
    static func current(_ keys: [StoredKey], at now: Int64) -> StoredKey? {
        let kept = keys.filter { !$0.isRetired }
        if kept.last?.purpose.isAnnounced == true { return kept.last }
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
