// SPDX-License-Identifier: Apache-2.0
internal import GRDB
public import PinKit

/// A key whose envelopes this broker opens.
public struct Owner: Sendable, Equatable {
    /// What people call the owner; unique in a broker.
    public let name: String
    public let key: PublicKey
    /// Seconds since 1970.
    public let enrolledAt: Int64
    /// Envelopes issued before this moment are refused; 0 where all are good.
    public let notBefore: Int64

    public var thumbprint: String { key.thumbprint }
}

extension Store {
    /// A name is for people and log lines: visible characters, no spaces at the ends, no line breaks.
    private static let maximumNameLength = 64

    /// Enrols `key`. Refuses a name or a key that is enrolled already.
    @discardableResult
    public func enrol(_ name: String, _ key: PublicKey, at now: Int64, notBefore: Int64 = 0) throws(BrokerError) -> Owner {
        try Store.requireName(name)
        let owner = Owner(name: name, key: key, enrolledAt: now, notBefore: notBefore)
        return try write("enrol an owner") { database in
            if let other = try Store.owner(where: "name = ? OR thumbprint = ?", [name, key.thumbprint], database) {
                let what = other.name == name ? "the name \(name)" : "this key"
                throw BrokerError("\(what) is enrolled already, as \(other.name) \(other.thumbprint)")
            }
            try database.execute(
                sql: "INSERT INTO owner VALUES (?, ?, ?, ?, ?)",
                arguments: [owner.thumbprint, name, key.jwk.canonical, now, notBefore])
            return owner
        }
    }

    /// All owners by name.
    public func owners() throws(BrokerError) -> [Owner] {
        try read("list owners") { database in
            try Row.fetchAll(database, sql: "SELECT * FROM owner ORDER BY name").map(Store.owner(in:))
        }
    }

    /// Removes the owner of that name or thumbprint. The owner's revocations stay.
    @discardableResult
    public func remove(owner selector: String) throws(BrokerError) -> Owner {
        try write("remove an owner") { database in
            let owner = try Store.require(selector, database)
            try database.execute(sql: "DELETE FROM owner WHERE thumbprint = ?", arguments: [owner.thumbprint])
            return owner
        }
    }

    /// Retires what the owner of that name or thumbprint issued before `moment`, seconds since 1970.
    @discardableResult
    public func setNotBefore(_ moment: Int64, ofOwner selector: String) throws(BrokerError) -> Owner {
        try write("change an owner") { database in
            let owner = try Store.require(selector, database)
            try database.execute(
                sql: "UPDATE owner SET not_before = ? WHERE thumbprint = ?", arguments: [moment, owner.thumbprint])
            return Owner(name: owner.name, key: owner.key, enrolledAt: owner.enrolledAt, notBefore: moment)
        }
    }

    /// The owner of that name or thumbprint; an error where there is none.
    public func owner(_ selector: String) throws(BrokerError) -> Owner {
        try read("find an owner") { try Store.require(selector, $0) }
    }

    static func owner(thumbprint: String, _ database: Database) throws -> Owner? {
        try owner(where: "thumbprint = ?", [thumbprint], database)
    }

    private static func require(_ selector: String, _ database: Database) throws -> Owner {
        guard let owner = try owner(where: "name = ? OR thumbprint = ?", [selector, selector], database) else {
            throw BrokerError("no owner \(selector) is enrolled", hint: "see: cvm-clevis-broker owner list DIR")
        }
        return owner
    }

    private static func owner(where condition: String, _ arguments: StatementArguments, _ database: Database) throws
        -> Owner?
    {
        let statement = try database.cachedStatement(sql: "SELECT * FROM owner WHERE \(condition)")
        return try Row.fetchOne(statement, arguments: arguments).map(owner(in:))
    }

    private static func owner(in row: Row) throws -> Owner {
        let key = try PublicKey(jwk: JSON(parsing: row["jwk"] as String))
        return Owner(name: row["name"], key: key, enrolledAt: row["enrolled_at"], notBefore: row["not_before"])
    }

    private static func requireName(_ name: String) throws(BrokerError) {
        let visible = name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control && $0 != "\u{2028}" }
        guard visible, !name.isEmpty, name.utf8.count <= maximumNameLength, name.first != " ", name.last != " " else {
            throw BrokerError("an owner's name has 1 to \(maximumNameLength) visible characters")
        }
    }
}
