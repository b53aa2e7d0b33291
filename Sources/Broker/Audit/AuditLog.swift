// SPDX-License-Identifier: Apache-2.0
internal import PinKit

extension Store {
    /// Makes a replica known by its public key. Nothing changes where it is known already.
    func register(replica key: SigningKey, at now: Int64) throws(BrokerError) {
        let head = try BrokerError.wrapping("cannot sign") { () throws(PinError) in
            try AuditHead(replica: key, sequence: 0, hash: AuditChain.start, at: now)
        }
        try write("register a replica") { transaction in
            _ = try transaction.rows(
                "INSERT INTO replica VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO NOTHING",
                [head.replica, key.publicKey.jwk.canonical, 0, Base64URL.encode(head.hash), head.compact])
        }
    }

    /// Adds the entries of `batches` to the replica's chain, all or none, and signs its new end. Of batches whose stamp is no longer
    /// the store's nothing is added. Returns nil for those, else the head that covers them.
    func record(_ batches: [AuditBatch], by key: SigningKey, at now: Int64) throws(BrokerError) -> [AuditHead?] {
        try write("write the audit log") { transaction in
            let stamp = try batches.contains { $0.stamp != nil } ? StandingStamp.read(transaction) : nil
            let current = batches.filter { $0.stamp == nil || $0.stamp == stamp }
            guard !current.isEmpty else { return batches.map { _ in nil } }
            let head = try Store.append(current.flatMap(\.entries), by: key, at: now, transaction)
            return batches.map { $0.stamp == nil || $0.stamp == stamp ? head : nil }
        }
    }

    /// Does what `change` does and adds the entry that it returns, both or neither.
    func record<Value>(
        by key: SigningKey, at now: Int64, _ change: (any Transaction) throws -> (Value, AuditEntry)
    ) throws(BrokerError) -> (value: Value, entry: AuditEntry, head: AuditHead) {
        try write("change the store") { transaction in
            let (value, entry) = try change(transaction)
            return (value, entry, try Store.append([entry], by: key, at: now, transaction))
        }
    }

    private static func append(
        _ entries: [AuditEntry], by key: SigningKey, at now: Int64, _ transaction: any Transaction
    ) throws -> AuditHead {
        var (sequence, hash) = try Store.end(of: key.publicKey.thumbprint, transaction)
        for entry in entries {
            let place = AuditPlace(replica: key.publicKey.thumbprint, sequence: sequence + 1)
            hash = AuditChain.hash(of: entry, at: place, after: hash)
            sequence = place.sequence
            try Store.insert(entry, place, hash, transaction)
        }
        let head = try AuditHead(replica: key, sequence: sequence, hash: hash, at: now)
        try transaction.rows(
            "UPDATE replica SET seq = ?2, hash = ?3, head = ?4 WHERE id = ?1",
            [head.replica, sequence, Base64URL.encode(hash), head.compact])
        return head
    }

    /// Takes the chain's end for this transaction: no other adds to it meanwhile.
    private static func end(of replica: String, _ transaction: any Transaction) throws -> (sequence: Int64, hash: [UInt8]) {
        let row = try transaction.row("UPDATE replica SET seq = seq WHERE id = ?1 RETURNING seq, hash", [replica])
        guard let row, let hash = try Base64URL.decode(row.text("hash")) else {
            throw BrokerError("replica \(replica) is not in the store", hint: "see: cvm-clevis-broker audit verify DIR")
        }
        return (try row.integer("seq"), hash)
    }

    private static func insert(
        _ entry: AuditEntry, _ place: AuditPlace, _ hash: [UInt8], _ transaction: any Transaction
    ) throws {
        let verdict = entry.verdict
        try transaction.rows(
            """
            INSERT INTO audit (at, decision, owner, binding, chip, remote, simulated, reason, reasons, resource, replica,
                seq, hash, actor, action)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
            """,
            [
                entry.at, verdict.decision.rawValue, entry.owner, entry.binding, entry.chip, entry.remote,
                entry.simulated, verdict.reason, JSON.array(verdict.failures.map(\.json)).canonical, entry.resource,
                place.replica, place.sequence, Base64URL.encode(hash), entry.actor, entry.action,
            ])
    }

    /// The last `limit` entries that `filter` lets through, oldest first.
    public func audit(_ filter: AuditFilter = AuditFilter(), last limit: Int) throws(BrokerError) -> [RecordedEntry] {
        try read("read the audit log") { try Store.last(limit, filter, $0) }
    }

    static func last(_ limit: Int, _ filter: AuditFilter, _ transaction: any Transaction) throws -> [RecordedEntry] {
        let (condition, arguments) = filter.condition
        let rows = try transaction.rows(
            "SELECT * FROM audit WHERE \(condition) ORDER BY id DESC LIMIT \(max(0, limit))", arguments)
        return try rows.reversed().map(Store.entry(in:))
    }

    /// What followed `places`, which say of each replica how far its chain is known: oldest first, at most `limit` of each.
    public func audit(
        _ filter: AuditFilter, after places: [String: Int64], limit: Int
    ) throws(BrokerError) -> [RecordedEntry] {
        try read("read the audit log") { transaction in
            let replicas = try transaction.rows("SELECT id FROM replica ORDER BY id").map { try $0.text("id") }
            var entries: [RecordedEntry] = []
            for replica in replicas {
                entries += try Store.following(places[replica] ?? 0, of: replica, limit, filter, transaction)
            }
            return entries
        }
    }

    /// What follows number `place` in a replica's chain, oldest first.
    static func following(
        _ place: Int64, of replica: String, _ limit: Int, _ filter: AuditFilter, _ transaction: any Transaction
    ) throws -> [RecordedEntry] {
        var filter = filter
        filter.chain = (replica, place)
        let (condition, arguments) = filter.condition
        let rows = try transaction.rows(
            "SELECT * FROM audit WHERE \(condition) ORDER BY seq LIMIT \(max(0, limit))", arguments)
        return try rows.map(Store.entry(in:))
    }

    /// The end of each chain, by replica: the newest head that it signed.
    public func auditHeads() throws(BrokerError) -> [AuditHead] {
        try read("read the audit log") { transaction in
            try transaction.rows("SELECT head FROM replica ORDER BY id").map { try AuditHead(parsing: $0.text("head")) }
        }
    }

    static func entry(in row: Record) throws -> RecordedEntry {
        let failures = try JSON(parsing: row.text("reasons")).array ?? []
        let verdict = Verdict(
            decision: Verdict.Decision(rawValue: try row.text("decision")), reason: try row.text("reason"),
            failures: try failures.map { try FailedPredicate($0) })
        let entry = try AuditEntry(
            at: row.integer("at"), verdict: verdict, owner: row.optionalText("owner"),
            binding: row.optionalText("binding"), resource: row.optionalText("resource"), chip: row.optionalText("chip"),
            remote: row.text("remote"), simulated: row.integer("simulated") != 0, actor: row.optionalText("actor"),
            action: row.optionalText("action"))
        guard let replica = try row.optionalText("replica"), let sequence = try row.optionalInteger("seq"),
            let hash = try row.optionalText("hash")
        else {
            return RecordedEntry(entry: entry, place: nil, hash: nil)
        }
        return RecordedEntry(
            entry: entry, place: AuditPlace(replica: replica, sequence: sequence), hash: Base64URL.decode(hash))
    }
}
