// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// A repository that is an owner's own: nobody else's resources lie in it, so what is there, or is not, says nothing to anybody else.
public struct Repository: Sendable, Equatable {
    public let name: String
    /// Thumbprint.
    public let owner: String
}

extension Store {
    /// Gives the repository `name` to an owner, who may then fill it over HTTP. Throws where it is another's, or has another's
    /// resources.
    @discardableResult
    public func giveRepository(_ name: String, toOwner selector: String) throws(BrokerError) -> Repository {
        guard ResourcePath.isPart(name) else {
            throw BrokerError(
                "\(name) is no repository's name", hint: "the first part of REPOSITORY/TYPE/TAG, such as default")
        }
        return try write("give a repository to an owner") { transaction in
            let owner = try Store.require(selector, transaction)
            if let other = try Store.owner(ofRepository: name, transaction), other != owner.thumbprint {
                throw BrokerError("repository \(name) is \(other)'s")
            }
            let others = try transaction.rows("SELECT path FROM resource WHERE owner <> ?1", [owner.thumbprint])
                .map { try ResourcePath($0.text("path")) }.filter { $0.repository == name }
            guard others.isEmpty else {
                throw BrokerError("\(others[0]) is in repository \(name) and another owner's", hint: "choose another name")
            }
            try transaction.rows(
                "INSERT INTO repository VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING", [name, owner.thumbprint])
            return Repository(name: name, owner: owner.thumbprint)
        }
    }

    /// Takes the repository `name` from whose it is. Resources stay where they are.
    public func takeRepository(_ name: String) throws(BrokerError) {
        try write("take a repository from an owner") { transaction in
            guard try Store.owner(ofRepository: name, transaction) != nil else {
                throw BrokerError("repository \(name) is nobody's", hint: "see: cvm-clevis-broker repository list DIR")
            }
            try transaction.rows("DELETE FROM repository WHERE name = ?1", [name])
        }
    }

    /// All repositories that are somebody's, by name.
    public func repositories() throws(BrokerError) -> [Repository] {
        try read("list repositories") { transaction in
            try transaction.rows("SELECT * FROM repository").map { row in
                try Repository(name: row.text("name"), owner: row.text("owner"))
            }.sorted { $0.name < $1.name }
        }
    }

    /// Thumbprint; nil where it is nobody's.
    static func owner(ofRepository name: String, _ transaction: any Transaction) throws -> String? {
        try transaction.row("SELECT owner FROM repository WHERE name = ?1", [name]).map { try $0.text("owner") }
    }

    /// What guards an owner's resources that come without a policy: as a resource's policy; nil where there is none.
    static func defaultPolicy(of owner: String, _ transaction: any Transaction) throws -> JSON? {
        try transaction.row("SELECT policy FROM default_policy WHERE owner = ?1", [owner])
            .map { try JSON(parsing: $0.text("policy")) }
    }

    /// For resources that are stored from now on. `policy` was checked.
    static func setDefaultPolicy(_ policy: JSON, of owner: String, _ transaction: any Transaction) throws {
        try transaction.rows(
            "INSERT INTO default_policy VALUES (?1, ?2) ON CONFLICT (owner) DO UPDATE SET policy = ?2",
            [owner, policy.canonical])
    }
}
