// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import PinKit

/// A set of reference values that an owner signed, as the broker keeps it: the newest of its name.
public struct StoredReferences: Sendable, Equatable {
    /// Thumbprint of who signed it.
    public let owner: String
    /// What people call the owner; nil where the owner is no longer enrolled.
    public let ownerName: String?
    public let name: String
    public let version: Int64
    /// Seconds since 1970: when it came here, and from when on it opens nothing.
    public let addedAt: Int64
    public let expiresAt: Int64
    private let signed: SignedReferenceSet

    /// What to tell a person about its end; nil where that is far.
    public func warning(at now: Int64) -> String? { signed.unverified.warning(at: now) }

    /// One object, for who asks over HTTP.
    var json: JSON {
        [
            "added_at": .integer(addedAt), "expires_at": .integer(expiresAt), "name": .string(name),
            "version": .integer(version),
        ]
    }

    fileprivate init(_ signed: SignedReferenceSet, owner: Owner?, addedAt: Int64) {
        self.owner = signed.owner
        self.ownerName = owner?.name
        self.name = signed.unverified.name
        self.version = signed.unverified.version
        self.addedAt = addedAt
        self.expiresAt = signed.unverified.expiresAt
        self.signed = signed
    }
}

extension Store {
    /// Takes a set in: a JWS as docs/spec/reference-values.md has it, white space around it allowed.
    ///
    /// Refuses one that nobody who is enrolled signed, that has expired, or whose version is not above the highest that was
    /// ever seen here; the very set that is here already is taken without a change.
    @discardableResult
    public func add(references text: String, at now: Int64) throws(BrokerError) -> StoredReferences {
        let signed = try Store.signedSet(in: text)
        return try write("add reference values") { transaction in
            guard let owner = try Store.owner(thumbprint: signed.owner, transaction) else {
                throw BrokerError(
                    "the set is signed by \(signed.owner), who is not enrolled",
                    hint: "see: cvm-clevis-broker owner list DIR")
            }
            return try Store.take(signed, of: owner, at: now, transaction).get()
        }
    }

    /// White space around it does not count.
    static func signedSet(in text: String) throws(BrokerError) -> SignedReferenceSet {
        let compact = String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
        return try BrokerError.wrapping { () throws(PinError) in try SignedReferenceSet(parsing: compact) }
    }

    /// Takes a set in that names `owner`, or says why not, and then nothing has changed.
    static func take(
        _ signed: SignedReferenceSet, of owner: Owner, at now: Int64, _ transaction: any Transaction
    ) throws -> Result<StoredReferences, BrokerError> {
        do throws(BrokerError) {
            let set = try BrokerError.wrapping { () throws(PinError) in try signed.verified(by: owner.key) }
            guard !set.isExpired(at: now) else {
                throw BrokerError("reference values \(set.title) have expired", hint: "sign a new version of them")
            }
        } catch {
            return .failure(error)
        }
        if let refusal = try refusal(ofRiseTo: signed, transaction) { return .failure(refusal) }
        let set = signed.unverified
        try transaction.rows(
            """
            INSERT INTO reference_set VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (owner, name) DO UPDATE SET version = ?3, text = ?4, added_at = ?5 WHERE reference_set.text <> ?4
            """,
            [signed.owner, set.name, set.version, signed.compact, now])
        return .success(StoredReferences(signed, owner: owner, addedAt: now))
    }

    /// All sets, by owner and name; those of one owner where a thumbprint is given.
    public func references(owner: String? = nil) throws(BrokerError) -> [StoredReferences] {
        try read("list reference values") { transaction in
            try transaction.rows("SELECT * FROM reference_set WHERE ?1 IS NULL OR owner = ?1", [owner]).map { row in
                try StoredReferences(
                    SignedReferenceSet(parsing: row.text("text")),
                    owner: Store.owner(thumbprint: row.text("owner"), transaction), addedAt: row.integer("added_at"))
            }
            .sorted { ($0.owner, $0.name) < ($1.owner, $1.name) }
        }
    }

    /// The newest set of that name that `owner` signed; nil where there is none.
    static func references(
        named name: String, of owner: String, _ transaction: any Transaction
    ) throws -> SignedReferenceSet? {
        let row = try transaction.row(
            "SELECT text FROM reference_set WHERE owner = ?1 AND name = ?2", [owner, name])
        return try row.map { try SignedReferenceSet(parsing: $0.text("text")) }
    }

    private static func refusal(
        ofRiseTo signed: SignedReferenceSet, _ transaction: any Transaction
    ) throws -> BrokerError? {
        let set = signed.unverified
        guard let known = try references(named: set.name, of: signed.owner, transaction), known != signed,
            set.version <= known.unverified.version
        else { return nil }
        return BrokerError(
            "reference values \(set.title) are not newer than \(known.unverified.title), which is here",
            hint: "sign them with a higher version")
    }
}
