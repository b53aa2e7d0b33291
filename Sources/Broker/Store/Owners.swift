// SPDX-License-Identifier: Apache-2.0
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
        return try write("enrol an owner") { transaction in
            if let taken = try Store.enrol(owner, transaction) { throw BrokerError(taken) }
            return owner
        }
    }

    /// Says what is enrolled already, where anything is; else nil.
    static func enrol(_ owner: Owner, _ transaction: any Transaction) throws -> String? {
        if let other = try Store.owner(where: "name = ?1 OR thumbprint = ?2", [owner.name, owner.thumbprint], transaction) {
            let what = other.name == owner.name ? "the name \(owner.name)" : "this key"
            return "\(what) is enrolled already, as \(other.name) \(other.thumbprint)"
        }
        try transaction.rows(
            "INSERT INTO owner VALUES (?1, ?2, ?3, ?4, ?5)",
            [owner.thumbprint, owner.name, owner.key.jwk.canonical, owner.enrolledAt, owner.notBefore])
        return nil
    }

    /// All owners by name.
    public func owners() throws(BrokerError) -> [Owner] {
        try read("list owners") { transaction in
            try transaction.rows("SELECT * FROM owner").map(Store.owner(in:)).sorted { $0.name < $1.name }
        }
    }

    /// Removes the owner of that name or thumbprint, with the tokens. The owner's revocations stay.
    @discardableResult
    public func remove(owner selector: String) throws(BrokerError) -> Owner {
        try write("remove an owner") { transaction in
            let owner = try Store.require(selector, transaction)
            try transaction.rows("DELETE FROM owner WHERE thumbprint = ?1", [owner.thumbprint])
            try transaction.rows("DELETE FROM token WHERE owner = ?1", [owner.thumbprint])
            return owner
        }
    }

    /// Retires what the owner of that name or thumbprint issued before `moment`, seconds since 1970.
    @discardableResult
    public func setNotBefore(_ moment: Int64, ofOwner selector: String) throws(BrokerError) -> Owner {
        try write("change an owner") { transaction in
            let owner = try Store.require(selector, transaction)
            try transaction.rows(
                "UPDATE owner SET not_before = ?1 WHERE thumbprint = ?2", [moment, owner.thumbprint])
            return Owner(name: owner.name, key: owner.key, enrolledAt: owner.enrolledAt, notBefore: moment)
        }
    }

    /// The owner of that name or thumbprint; an error where there is none.
    public func owner(_ selector: String) throws(BrokerError) -> Owner {
        try read("find an owner") { try Store.require(selector, $0) }
    }

    static func owner(thumbprint: String, _ transaction: any Transaction) throws -> Owner? {
        try owner(where: "thumbprint = ?1", [thumbprint], transaction)
    }

    static func require(_ selector: String, _ transaction: any Transaction) throws -> Owner {
        guard let owner = try owner(where: "name = ?1 OR thumbprint = ?2", [selector, selector], transaction) else {
            throw BrokerError("no owner \(selector) is enrolled", hint: "see: cvm-clevis-broker owner list DIR")
        }
        return owner
    }

    private static func owner(
        where condition: String, _ arguments: [(any Storable)?], _ transaction: any Transaction
    ) throws -> Owner? {
        try transaction.row("SELECT * FROM owner WHERE \(condition)", arguments).map(owner(in:))
    }

    private static func owner(in row: Record) throws -> Owner {
        let key = try PublicKey(jwk: JSON(parsing: row.text("jwk")))
        return try Owner(
            name: row.text("name"), key: key, enrolledAt: row.integer("enrolled_at"),
            notBefore: row.integer("not_before"))
    }

    static func requireName(_ name: String) throws(BrokerError) {
        let visible = name.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control && $0 != "\u{2028}" }
        guard visible, !name.isEmpty, name.utf8.count <= maximumNameLength, name.first != " ", name.last != " " else {
            throw BrokerError("an owner's name has 1 to \(maximumNameLength) visible characters")
        }
    }
}
