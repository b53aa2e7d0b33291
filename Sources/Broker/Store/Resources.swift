// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import BrokerProtocol
public import PinKit

/// What is known of a resource without opening it.
public struct StoredResource: Sendable, Equatable {
    public let path: ResourcePath
    /// Thumbprint of whose it is.
    public let owner: String
    /// A policy for each platform that may have it: `{"snp":{…},"tdx":{…}}`, one at least.
    public let policy: JSON
    /// Bytes.
    public let size: Int
    /// Seconds since 1970.
    public let setAt: Int64
    /// Which resource key it is sealed with.
    public let keyID: String

    /// For `resource get-info --json` and `list --json`.
    public var json: JSON {
        [
            "key": .string(keyID), "owner": .string(owner), "path": .string(path.text), "policy": policy,
            "set_at": .integer(setAt), "size": .integer(Int64(size)),
        ]
    }
}

/// Seals resources for the store, and opens them. A resource opens only as what it was stored as: for its owner, at its path and
/// under its policy, so that whoever can write the database can lose resources, but give none to another guest.
public struct ResourceSealer: Sendable {
    private let sealer: Sealer

    package init(_ sealer: Sealer) { self.sealer = sealer }

    var keyID: String { sealer.id }

    func seal(
        _ content: borrowing SecretBytes, at path: ResourcePath, owner: String, policy: JSON
    ) throws(PinError) -> [UInt8] {
        try sealer.seal(content, "resource", context: Self.context(path, owner, policy))
    }

    /// nil where it was sealed as something else, or with another key.
    func open(_ sealed: [UInt8], of resource: StoredResource) -> SecretBytes? {
        sealer.open(sealed, "resource", context: Self.context(resource.path, resource.owner, resource.policy))
    }

    private static func context(_ path: ResourcePath, _ owner: String, _ policy: JSON) -> [UInt8] {
        let context: JSON = ["owner": .string(owner), "path": .string(path.text), "policy": policy]
        return Array(context.canonical.utf8)
    }
}

/// What the store knows about a resource at the moment of a decision.
struct ResourceStanding: Sendable {
    let resource: StoredResource
    let sealed: [UInt8]
    /// nil where the owner is not enrolled any more.
    let owner: Owner?
    let isChipRevoked: Bool
    /// The newest set of the name that the platform's policy has.
    let references: SignedReferenceSet?
}

extension Store {
    /// Bytes of a resource.
    public static let resourceCount = 1...(64 << 10)

    /// Stores `content` for guests that meet `policy`, in place of what the same owner had at `path`. Throws for an owner who is
    /// not enrolled, a policy that no platform understands, and a path that is another owner's.
    @discardableResult
    public func set(
        _ content: borrowing SecretBytes, at path: ResourcePath, owner selector: String, policy: JSON,
        sealedBy sealer: ResourceSealer, now: Int64
    ) throws(BrokerError) -> StoredResource {
        guard Store.resourceCount.contains(content.count) else {
            throw BrokerError("a resource has 1 to \(Store.resourceCount.upperBound) bytes, not \(content.count)")
        }
        try Store.check(policy)
        let owner = try owner(selector)
        let sealed = try BrokerError.wrapping("cannot seal \(path)") { () throws(PinError) in
            try sealer.seal(content, at: path, owner: owner.thumbprint, policy: policy)
        }
        let resource = StoredResource(
            path: path, owner: owner.thumbprint, policy: policy, size: content.count, setAt: now, keyID: sealer.keyID)
        return try write("store a resource") { transaction in
            guard try Store.owner(thumbprint: owner.thumbprint, transaction) != nil else {
                throw BrokerError("no owner \(selector) is enrolled", hint: "see: cvm-clevis-broker owner list DIR")
            }
            if let other = try Store.resource(path, transaction)?.resource, other.owner != owner.thumbprint {
                throw BrokerError("\(path) is another owner's", hint: "choose another path")
            }
            if let other = try Store.owner(ofRepository: path.repository, transaction), other != owner.thumbprint {
                throw BrokerError(
                    "repository \(path.repository) is another owner's", hint: "see: cvm-clevis-broker repository list DIR")
            }
            guard try KeyTable.seals(resource.keyID, transaction) else {
                throw BrokerError("the key of resources has just been replaced: nothing was changed", hint: "try again")
            }
            try Store.put(resource, sealed: sealed, transaction)
            return resource
        }
    }

    /// Stores `resource` in place of what is at its path, whosever that is.
    static func put(_ resource: StoredResource, sealed: [UInt8], _ transaction: any Transaction) throws {
        try transaction.rows(
            """
            INSERT INTO resource VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
            ON CONFLICT (path) DO UPDATE SET policy = ?3, size = ?4, set_at = ?5, key_id = ?6, sealed = ?7
            """,
            [
                resource.path.text, resource.owner, resource.policy.canonical, resource.size, resource.setAt,
                resource.keyID, Base64URL.encode(sealed),
            ])
    }

    /// All resources by path; those of one owner where a thumbprint is given.
    public func resources(owner: String? = nil) throws(BrokerError) -> [StoredResource] {
        try read("list resources") { transaction in
            try transaction.rows("SELECT * FROM resource WHERE ?1 IS NULL OR owner = ?1", [owner])
                .map(Store.resource(in:)).sorted { $0.path.text < $1.path.text }
        }
    }

    /// What is at `path`; an error where nothing is.
    public func resource(_ path: ResourcePath) throws(BrokerError) -> StoredResource {
        try read("find a resource") { transaction in
            guard let found = try Store.resource(path, transaction) else { throw Store.missing(path) }
            return found.resource
        }
    }

    /// Removes what is at `path`: no guest gets it any more.
    @discardableResult
    public func remove(resource path: ResourcePath) throws(BrokerError) -> StoredResource {
        try write("remove a resource") { transaction in
            guard let found = try Store.resource(path, transaction) else { throw Store.missing(path) }
            try Store.removeResource(path, of: found.resource.owner, transaction)
            return found.resource
        }
    }

    static func removeResource(_ path: ResourcePath, of owner: String, _ transaction: any Transaction) throws {
        try transaction.rows("DELETE FROM resource WHERE path = ?1 AND owner = ?2", [path.text, owner])
    }

    /// nil where nothing is at `path`. `chip`: CHIP_ID or PPID in base64url.
    func standing(of path: ResourcePath, on platform: Platform, chip: String) throws(BrokerError) -> ResourceStanding? {
        try read("look up a resource") { transaction in
            guard let (resource, sealed) = try Store.resource(path, transaction) else { return nil }
            let name = resource.policy[platform.rawValue]?["reference"]?.string
            let everywhere = try Store.isRevoked(.chip(chip, owner: nil), transaction)
            return ResourceStanding(
                resource: resource, sealed: sealed, owner: try Store.owner(thumbprint: resource.owner, transaction),
                isChipRevoked: try everywhere || Store.isRevoked(.chip(chip, owner: resource.owner), transaction),
                references: try name.flatMap { try Store.references(named: $0, of: resource.owner, transaction) })
        }
    }

    /// Throws for what no platform understands.
    static func check(_ policy: JSON) throws(BrokerError) {
        try BrokerError.wrapping("policy") { () throws(JSONError) in
            var reader = try JSONReader(policy)
            let policies = Platform.allCases.map { ($0, reader.optional($0.rawValue)) }
            try reader.finish()
            guard policies.contains(where: { $0.1 != nil }) else {
                throw JSONError(place: "", problem: "must hold snp or tdx, or both")
            }
            for (platform, policy) in policies {
                if let policy { try VerifiedEvidence.check(policy, of: platform) }
            }
        }
    }

    private static func missing(_ path: ResourcePath) -> BrokerError {
        BrokerError("there is no resource \(path)", hint: "see: cvm-clevis-broker resource list DIR")
    }

    static func resource(_ path: ResourcePath, _ transaction: any Transaction) throws -> (
        resource: StoredResource, sealed: [UInt8]
    )? {
        guard let row = try transaction.row("SELECT * FROM resource WHERE path = ?1", [path.text]) else { return nil }
        return (try resource(in: row), try bytes(row, "sealed"))
    }

    /// What `owner` has at `path`; nil where that is nothing.
    static func resource(_ path: ResourcePath, of owner: String, _ transaction: any Transaction) throws -> StoredResource? {
        try transaction.row("SELECT * FROM resource WHERE path = ?1 AND owner = ?2", [path.text, owner]).map(resource(in:))
    }

    private static func resource(in row: Record) throws -> StoredResource {
        try StoredResource(
            path: ResourcePath(row.text("path")), owner: row.text("owner"), policy: JSON(parsing: row.text("policy")),
            size: Int(row.integer("size")), setAt: row.integer("set_at"), keyID: row.text("key_id"))
    }

    private static func bytes(_ row: Record, _ column: String) throws -> [UInt8] {
        guard let bytes = try Base64URL.decode(row.text(column)) else {
            throw BrokerError("column \(column) is damaged")
        }
        return bytes
    }
}
