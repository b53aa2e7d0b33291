// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// Something that gets no share any more, however good its evidence.
public struct Revocation: Sendable, Equatable {
    public enum Subject: Sendable, Hashable {
        /// A binding of one owner, by the `id` in its header: 22 characters of base64url.
        case binding(String, owner: String)
        /// A processor, by the bytes of CHIP_ID (AMD) or PPID (Intel) in base64url: for one owner (a thumbprint), or for everybody.
        case chip(String, owner: String?)
    }

    public let subject: Subject
    /// Seconds since 1970.
    public let revokedAt: Int64
    /// Why, in the operator's words.
    public let note: String

    /// One object, for who asks over HTTP.
    var json: JSON {
        let (kind, value) =
            switch subject {
            case .binding(let id, _): ("binding", id)
            case .chip(let chip, _): ("chip", chip)
            }
        return .object([kind: .string(value), "note": .string(note), "revoked_at": .integer(revokedAt)])
    }
}

extension Store {
    /// Revokes, for good: there is no way back but another binding.
    public func revoke(_ subject: Revocation.Subject, note: String, at now: Int64) throws(BrokerError) {
        try Store.requireForm(of: subject)
        try write("revoke") { transaction in
            let revocation = Revocation(subject: subject, revokedAt: now, note: note)
            if let known = try Store.revoke(revocation, transaction) { throw BrokerError(known) }
        }
    }

    /// Says what is revoked already, where it is; else nil.
    static func revoke(_ revocation: Revocation, _ transaction: any Transaction) throws -> String? {
        let columns = columns(of: revocation.subject)
        guard try !isRevoked(revocation.subject, transaction) else {
            return "\(columns.kind) \(columns.value) is revoked already"
        }
        try transaction.rows(
            "INSERT INTO revocation (kind, owner, value, revoked_at, note) VALUES (?1, ?2, ?3, ?4, ?5)",
            [columns.kind, columns.owner, columns.value, revocation.revokedAt, revocation.note])
        return nil
    }

    /// All revocations, oldest first; those of one owner alone where a thumbprint is given.
    public func revocations(owner: String? = nil) throws(BrokerError) -> [Revocation] {
        try read("list revocations") { try Store.revocations(owner: owner, $0) }
    }

    static func revocations(owner: String? = nil, _ transaction: any Transaction) throws -> [Revocation] {
        let rows = try transaction.rows(
            "SELECT * FROM revocation WHERE ?1 IS NULL OR owner = ?1 ORDER BY revoked_at, kind, value", [owner])
        return try rows.map { row in
            let owner = try row.text("owner")
            let value = try row.text("value")
            let subject: Revocation.Subject =
                try row.text("kind") == "binding"
                ? .binding(value, owner: owner) : .chip(value, owner: owner.isEmpty ? nil : owner)
            return try Revocation(subject: subject, revokedAt: row.integer("revoked_at"), note: row.text("note"))
        }
    }

    static func isRevoked(_ subject: Revocation.Subject, _ transaction: any Transaction) throws -> Bool {
        let columns = columns(of: subject)
        return try transaction.row(
            "SELECT revoked_at FROM revocation WHERE kind = ?1 AND owner = ?2 AND value = ?3",
            [columns.kind, columns.owner, columns.value]) != nil
    }

    private static func columns(of subject: Revocation.Subject) -> (kind: String, owner: String, value: String) {
        switch subject {
        case .binding(let id, let owner): ("binding", owner, id)
        case .chip(let chip, let owner): ("chip", owner ?? "", chip)
        }
    }

    static func requireForm(of subject: Revocation.Subject) throws(BrokerError) {
        switch subject {
        case .binding(let id, _):
            guard Base64URL.decode(id)?.count == 16 else {
                throw BrokerError(
                    "\(id) is not a binding's id", hint: "22 characters, as in: cvm-clevis luks list, or the audit log")
            }
        case .chip(let chip, _):
            guard let count = Base64URL.decode(chip)?.count, count == 64 || count == 16 else {
                throw BrokerError(
                    "\(chip) is not a chip's id",
                    hint: "CHIP_ID or PPID in base64url (86 or 22 characters), as in the audit log")
            }
        }
    }
}
