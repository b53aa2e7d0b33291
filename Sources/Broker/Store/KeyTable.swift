// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The keys that replicas share. Of the retired ones the ids stay, so that none comes back from a file or a backup of a key.
enum KeyTable {
    /// The same for both kinds of store, which know BIGINT and TEXT.
    static func definition(integer: String, suffix: String) -> String {
        """
        CREATE TABLE broker_key (
            purpose TEXT NOT NULL,
            id      TEXT NOT NULL,
            sealed  TEXT NOT NULL,
            key_id  TEXT NOT NULL,
            made_at \(integer) NOT NULL,
            active_at \(integer) NOT NULL,
            PRIMARY KEY (purpose, id)
        )\(suffix);
        """
    }

    /// The newest of each purpose first.
    static func all(_ transaction: any Transaction) throws -> [StoredKey] {
        try transaction.rows("SELECT * FROM broker_key ORDER BY active_at DESC, id").compactMap { try StoredKey($0) }
    }

    /// Adds `key`, or seals it anew.
    static func put(_ key: StoredKey, _ transaction: any Transaction) throws {
        try transaction.rows(
            """
            INSERT INTO broker_key (purpose, id, sealed, key_id, made_at, active_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
            ON CONFLICT (purpose, id) DO UPDATE SET sealed = ?3, key_id = ?4
            """,
            [key.purpose.rawValue, key.id, Base64URL.encode(key.sealed), key.sealerID, key.madeAt, key.activeAt])
    }

    /// The id of the resource key that all is sealed with since the last `rekey`; nil where the store has no keys.
    static func sealerID(_ transaction: any Transaction) throws -> String? {
        try all(transaction).first { !$0.isRetired }?.sealerID
    }

    /// Whether a resource may be sealed with that key.
    static func seals(_ id: String, _ transaction: any Transaction) throws -> Bool {
        let current = try sealerID(transaction)
        return current == nil || current == id
    }

    /// Forgets the key and keeps its id.
    static func retire(_ purpose: KeyPurpose, _ id: String, _ transaction: any Transaction) throws {
        try transaction.rows(
            "UPDATE broker_key SET sealed = '', key_id = '' WHERE purpose = ?1 AND id = ?2", [purpose.rawValue, id])
    }
}

extension Store {
    /// All keys, the newest of each purpose first.
    func keys() throws(BrokerError) -> [StoredKey] { try read("read the keys") { try KeyTable.all($0) } }

    /// Adds what `make` makes of the keys that are there, in one transaction, and returns all.
    func addKeys(_ make: ([StoredKey]) throws -> [StoredKey]) throws(BrokerError) -> [StoredKey] {
        try write("add a key") { transaction in
            for key in try make(KeyTable.all(transaction)) { try KeyTable.put(key, transaction) }
            return try KeyTable.all(transaction)
        }
    }
}
