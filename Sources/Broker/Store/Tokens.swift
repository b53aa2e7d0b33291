// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What `token create` is told.
public struct TokenTerms: Sendable {
    /// Name or thumbprint; nil for an operator's token.
    public var owner: String?
    public var scopes: [AdminScope]
    public var note: String
    /// Seconds since 1970; 0 for never.
    public var expiresAt: Int64
    /// SHA-256 of a client certificate's SubjectPublicKeyInfo.
    public var pin: [UInt8]?

    public init(owner: String?, scopes: [AdminScope], note: String = "", expiresAt: Int64, pin: [UInt8]? = nil) {
        self.owner = owner
        self.scopes = scopes
        self.note = note
        self.expiresAt = expiresAt
        self.pin = pin
    }
}

/// A token and the text that its bearer sends.
public struct NewAdminToken: ~Copyable {
    public let token: AdminToken
    public let text: SecretBytes
}

extension Store {
    /// Characters of a note.
    private static let maximumNoteLength = 256
    private static let secondsOfDay: Int64 = 86_400

    /// Makes a token and returns it with its text, which nothing keeps: whoever has that has the token.
    public func createToken(_ terms: TokenTerms, at now: Int64) throws(BrokerError) -> NewAdminToken {
        try Store.check(terms, at: now)
        let made = try BrokerError.wrapping("cannot make a token") { () throws(PinError) in try BearerToken.make() }
        let bearer = made.token
        let token = try write("make a token") { transaction in
            let owner = try terms.owner.map { try Store.require($0, transaction) }
            let token = AdminToken(
                id: bearer.id, owner: owner?.thumbprint, scopes: terms.scopes, note: terms.note, pin: terms.pin,
                createdAt: now, expiresAt: terms.expiresAt, usedAt: 0)
            try transaction.rows(
                "INSERT INTO token VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                [
                    token.id, Base64URL.encode(bearer.hash), token.owner ?? "",
                    token.scopes.map(\.rawValue).joined(separator: " "), token.note, token.pin.map { Base64URL.encode($0) },
                    token.createdAt, token.expiresAt, 0,
                ])
            return token
        }
        return NewAdminToken(token: token, text: made.text.copy())
    }

    /// All tokens, oldest first; those of one owner where a thumbprint is given.
    public func tokens(owner: String? = nil) throws(BrokerError) -> [AdminToken] {
        try read("list tokens") { transaction in
            try transaction.rows("SELECT * FROM token ORDER BY created_at, id").map(Store.token(in:))
                .filter { owner == nil || $0.owner == owner }
        }
    }

    /// Makes the token of that id useless, at once and for good.
    @discardableResult
    public func revokeToken(_ id: String) throws(BrokerError) -> AdminToken {
        try write("revoke a token") { transaction in
            guard let row = try transaction.row("SELECT * FROM token WHERE id = ?1", [id]) else {
                throw BrokerError("there is no token \(id)", hint: "see: cvm-clevis-broker token list DIR")
            }
            try transaction.rows("DELETE FROM token WHERE id = ?1", [id])
            return try Store.token(in: row)
        }
    }

    /// Who sends `text`: a token that is in force, with its owner, if it is one's. nil where there is none; about the same work
    /// is done for a token that never was and for one with a wrong secret.
    func bearer(_ text: String, at now: Int64) throws(BrokerError) -> Bearer? {
        guard let bearer = BearerToken(text) else { return nil }
        let found = try read("look up a token") { (transaction) -> Bearer? in
            let row = try transaction.row("SELECT * FROM token WHERE id = ?1", [bearer.id])
            let stored = try row.map { try Base64URL.decode($0.text("hash")) ?? [] }
            let matches = bearer.matches(stored ?? [UInt8](repeating: 0, count: bearer.hash.count))
            guard let row, matches else { return nil }
            let token = try Store.token(in: row)
            guard !token.isExpired(at: now) else { return nil }
            guard let thumbprint = token.owner else { return Bearer(token: token, owner: nil) }
            return try Store.owner(thumbprint: thumbprint, transaction).map { Bearer(token: token, owner: $0) }
        }
        if let found { try noteUse(of: found.token, at: now) }
        return found
    }

    /// Whether nobody has revoked it.
    static func isInForce(_ token: AdminToken, _ transaction: any Transaction) throws -> Bool {
        try transaction.row("SELECT id FROM token WHERE id = ?1", [token.id]) != nil
    }

    /// By the day, so that a token costs one write a day.
    private func noteUse(of token: AdminToken, at now: Int64) throws(BrokerError) {
        let day = now - now % Store.secondsOfDay
        guard token.usedAt < day else { return }
        try write("note the use of a token") { transaction in
            _ = try transaction.rows("UPDATE token SET used_at = ?2 WHERE id = ?1", [token.id, day])
        }
    }

    private static func check(_ terms: TokenTerms, at now: Int64) throws(BrokerError) {
        let allowed = terms.owner == nil ? [.owner] : AdminScope.ofOwners
        guard !terms.scopes.isEmpty, terms.scopes.allSatisfy(allowed.contains) else {
            let names = allowed.map(\.rawValue).joined(separator: ", ")
            throw BrokerError("\(terms.owner == nil ? "an operator's" : "an owner's") token can have scope \(names)")
        }
        guard terms.expiresAt == 0 || terms.expiresAt > now else {
            throw BrokerError("the token would have expired already")
        }
        let visible = terms.note.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        guard visible, terms.note.unicodeScalars.count <= maximumNoteLength else {
            throw BrokerError("a note has at most \(maximumNoteLength) visible characters")
        }
    }

    private static func token(in row: Record) throws -> AdminToken {
        let owner = try row.text("owner")
        return try AdminToken(
            id: row.text("id"), owner: owner.isEmpty ? nil : owner,
            scopes: row.text("scopes").split(separator: " ").compactMap { AdminScope(rawValue: String($0)) },
            note: row.text("note"),
            // One that cannot be read matches no certificate.
            pin: row.optionalText("pin").map { Base64URL.decode($0) ?? [] }, createdAt: row.integer("created_at"),
            expiresAt: row.integer("expires_at"), usedAt: row.integer("used_at"))
    }
}

/// Who makes a call: a token in force, and whose it is.
struct Bearer: Sendable {
    let token: AdminToken
    /// nil for an operator's.
    let owner: Owner?
}
