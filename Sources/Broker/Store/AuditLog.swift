// SPDX-License-Identifier: Apache-2.0
internal import GRDB
public import PinKit

/// One decision about one envelope, or about a request that never got as far as its envelopes.
public struct AuditEntry: Sendable, Equatable {
    /// Seconds since 1970.
    public let at: Int64
    public let verdict: Verdict
    /// Thumbprint, as the envelope's header names it; nil where no header was read.
    public let owner: String?
    /// `id` in the envelope's header.
    public let binding: String?
    /// Path of the resource that was asked for, where it was no envelope.
    public let resource: String?
    /// CHIP_ID or PPID in base64url; nil where the evidence was not genuine, since then it says nothing.
    public let chip: String?
    /// Address of the peer, a proxy's where one stands in between.
    public let remote: String
    /// Whether the evidence came from the simulator that this broker was told to trust.
    public let simulated: Bool

    package init(
        at: Int64, verdict: Verdict, owner: String? = nil, binding: String? = nil, resource: String? = nil,
        chip: String? = nil, remote: String, simulated: Bool
    ) {
        self.at = at
        self.verdict = verdict
        self.owner = owner
        self.binding = binding
        self.resource = resource
        self.chip = chip
        self.remote = remote
        self.simulated = simulated
    }
}

extension Store {
    /// Adds `entries` in one transaction. They are in the file when this returns.
    package func record(_ entries: [AuditEntry]) throws(BrokerError) {
        try write("write the audit log") { database in
            let insert = try database.cachedStatement(
                sql: """
                    INSERT INTO audit (at, decision, owner, binding, chip, remote, simulated, reason, reasons, resource)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """)
            for entry in entries {
                let verdict = entry.verdict
                try insert.execute(arguments: [
                    entry.at, verdict.decision.rawValue, entry.owner, entry.binding, entry.chip, entry.remote,
                    entry.simulated, verdict.reason, JSON.array(verdict.failures.map(\.json)).canonical,
                    entry.resource,
                ])
            }
        }
    }

    /// The last `limit` entries, oldest first; those of one owner where a thumbprint is given.
    public func auditEntries(last limit: Int, owner: String? = nil) throws(BrokerError) -> [AuditEntry] {
        try read("read the audit log") { database in
            let rows = try Row.fetchAll(
                database, sql: "SELECT * FROM audit WHERE ?1 IS NULL OR owner = ?1 ORDER BY id DESC LIMIT ?2",
                arguments: [owner, limit])
            return try rows.reversed().map(Store.entry(in:))
        }
    }

    private static func entry(in row: Row) throws -> AuditEntry {
        let failures = try JSON(parsing: row["reasons"] as String).array ?? []
        let verdict = Verdict(
            decision: Verdict.Decision(rawValue: row["decision"]), reason: row["reason"],
            failures: try failures.map { try FailedPredicate($0) })
        return AuditEntry(
            at: row["at"], verdict: verdict, owner: row["owner"], binding: row["binding"],
            resource: row["resource"], chip: row["chip"], remote: row["remote"], simulated: row["simulated"])
    }
}

extension AuditEntry {
    /// One object per decision, for `audit --json` (docs/spec/broker.md §6).
    public var json: JSON {
        var members: JSONObject = [
            "at": .integer(at), "decision": .string(verdict.decision.rawValue), "remote": .string(remote),
            "reason": .string(verdict.reason),
        ]
        if let owner { members["owner"] = .string(owner) }
        if let binding { members["binding"] = .string(binding) }
        if let resource { members["resource"] = .string(resource) }
        if let chip { members["chip"] = .string(chip) }
        if simulated { members["simulated"] = true }
        if !verdict.failures.isEmpty { members["failures"] = .array(verdict.failures.map(\.json)) }
        return .object(members)
    }
}
