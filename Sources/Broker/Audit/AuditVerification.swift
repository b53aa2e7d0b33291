// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What `audit verify` found (docs/spec/broker.md §6.3).
public struct AuditReport: Sendable, Equatable {
    /// Entries of each chain, by replica.
    public fileprivate(set) var entries: [String: Int64] = [:]
    /// Entries of a version that chained none: nothing vouches for them.
    public fileprivate(set) var unchained = 0
    /// One line each.
    public fileprivate(set) var problems: [String] = []

    public var json: JSON {
        [
            "problems": .array(problems.map { .string($0) }), "unchained": .integer(Int64(unchained)),
            "replicas": .array(
                entries.sorted { $0.key < $1.key }.map { ["replica": .string($0.key), "entries": .integer($0.value)] }),
        ]
    }
}

extension Store {
    /// Walks all chains, all at one moment. `heads` are what replicas signed earlier and somebody kept; `own` is the thumbprint of
    /// the replica that this directory is, where it has a key.
    public func verifyAudit(heads: [AuditHead], own: String?) throws(BrokerError) -> AuditReport {
        try read("read the audit log") { transaction in
            var report = AuditReport()
            let replicas = try transaction.rows("SELECT id, key, head FROM replica ORDER BY id")
            for row in replicas {
                var walk = try AuditWalk(
                    replica: row.text("id"), key: row.text("key"), head: row.text("head"), kept: heads)
                try walk.run(transaction)
                report.entries[walk.replica] = walk.sequence
                report.problems += walk.problems
            }
            report.unchained = try Store.countUnchained(transaction, &report.problems)
            let known = try Set(replicas.map { try $0.text("id") })
            report.problems += Set(heads.map(\.replica) + [own].compactMap { $0 }).subtracting(known).sorted().map {
                "replica \($0) is gone, with all its entries"
            }
            report.problems += try transaction.rows(
                """
                SELECT DISTINCT replica FROM audit WHERE replica IS NOT NULL AND replica NOT IN (SELECT id FROM replica)
                """
            ).map { "there are entries of replica \(try $0.text("replica")), which nobody knows" }
            return report
        }
    }

    /// They are from before the first chain: later ones are somebody's additions.
    private static func countUnchained(_ transaction: any Transaction, _ problems: inout [String]) throws -> Int {
        let count = try transaction.row("SELECT count(*) AS n FROM audit WHERE replica IS NULL")?.integer("n") ?? 0
        let late =
            try transaction.row(
                """
                SELECT count(*) AS n FROM audit WHERE replica IS NULL
                    AND id > (SELECT min(id) FROM audit WHERE replica IS NOT NULL)
                """)?.integer("n") ?? 0
        if late > 0 { problems.append("\(late) entries are in no chain, and newer than the chains") }
        return Int(count)
    }
}

/// One chain, read from its start.
private struct AuditWalk {
    let replica: String
    private let key: PublicKey?
    private let head: AuditHead?
    /// Of this replica, by number: what the chain has to go through.
    private var kept: [Int64: [AuditHead]]
    private(set) var sequence: Int64 = 0
    private var hash = AuditChain.start
    private var row: Int64 = 0
    private(set) var problems: [String] = []

    private static let page = 1000

    init(replica: String, key: String, head: String, kept: [AuditHead]) {
        self.replica = replica
        self.key = (try? PublicKey(jwk: JSON(parsing: key))).flatMap { $0.thumbprint == replica ? $0 : nil }
        self.head = try? AuditHead(parsing: head)
        self.kept = Dictionary(grouping: kept.filter { $0.replica == replica }, by: \.sequence)
    }

    mutating func run(_ transaction: any Transaction) throws {
        guard let key else { return report("its key is not the one that its name stands for") }
        if let forged = kept.values.joined().first(where: { !$0.isSigned(by: key) }) {
            throw BrokerError("the head of \(forged.sequence) entries is not signed by replica \(replica)")
        }
        compareHeads()
        var last: Int64 = 0
        while true {
            let rows = try transaction.rows(
                "SELECT * FROM audit WHERE replica = ?1 AND seq > ?2 ORDER BY seq LIMIT \(Self.page)", [replica, last])
            for row in rows {
                last = try row.integer("seq")
                if let entry = try? Store.entry(in: row) {
                    follow(entry, row: try row.integer("id"))
                } else {
                    report("entry \(last) cannot be read: it was changed")
                }
            }
            if rows.count < Self.page { break }
        }
        finish(key)
    }

    private mutating func follow(_ recorded: RecordedEntry, row: Int64) {
        guard let place = recorded.place, let stored = recorded.hash else { return }
        defer {
            (sequence, hash, self.row) = (place.sequence, stored, row)
            compareHeads()
        }
        guard place.sequence == sequence + 1 else {
            return report(
                place.sequence == sequence + 2
                    ? "entry \(sequence + 1) is missing" : "entries \(sequence + 1) to \(place.sequence - 1) are missing")
        }
        if row <= self.row { report("entry \(place.sequence) stands before the one that it follows") }
        guard stored == AuditChain.hash(of: recorded.entry, at: place, after: hash) else {
            return report("entry \(place.sequence) was changed, or what is before it")
        }
    }

    private mutating func compareHeads() {
        for head in kept.removeValue(forKey: sequence) ?? [] where head.hash != hash {
            report("entry \(sequence) is another than when its head was handed out: it or one before it was changed")
        }
    }

    private mutating func finish(_ key: PublicKey) {
        if let sequence = kept.keys.max() {
            report("it was cut off after entry \(self.sequence): a head that was handed out is of entry \(sequence)")
        }
        guard let head, head.isSigned(by: key) else { return report("its newest head is not signed by it") }
        if head.sequence > sequence {
            report("it was cut off after entry \(sequence): its newest head is of entry \(head.sequence)")
        } else if head.sequence < sequence || head.hash != hash {
            report("its newest head, of entry \(head.sequence), is not that of its last entry, \(sequence)")
        }
    }

    private mutating func report(_ problem: String) { problems.append("replica \(replica): \(problem)") }
}
