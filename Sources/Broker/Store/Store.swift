// SPDX-License-Identifier: Apache-2.0
internal import GRDB

/// What a broker remembers: owners, revocations and the audit log, in one SQLite file. No secret ever comes here.
///
/// Commands may change it while a broker serves: each request reads it anew. WAL, so that readers do not wait for the
/// writer of the log.
public final class Store: Sendable {
    private let database: DatabasePool

    /// Opens the file at `path` and brings its tables to this version's form. A file from a newer version is refused.
    package init(at path: String) throws(BrokerError) {
        self.database = try Store.attempt("open \(path)") {
            var configuration = Configuration()
            configuration.busyMode = .timeout(5)
            configuration.maximumReaderCount = 4
            let database = try DatabasePool(path: path, configuration: configuration)
            let migrator = Schema.migrator
            guard try !database.read(migrator.hasBeenSuperseded) else {
                throw BrokerError("\(path) was written by a newer cvm-clevis-broker", hint: "upgrade this one")
            }
            try migrator.migrate(database)
            // A pool's WAL syncs at checkpoints only; a decision must not be answered before it is on the disk.
            try database.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            return database
        }
    }

    /// The store of an existing broker's directory.
    public convenience init(in directory: BrokerDirectory) throws(BrokerError) {
        try directory.requireBroker()
        try self.init(at: directory.database)
    }

    func read<Value: Sendable>(_ step: String, _ body: (Database) throws -> Value) throws(BrokerError) -> Value {
        try Store.attempt(step) { try database.read(body) }
    }

    /// One transaction: all of it, or nothing.
    func write<Value: Sendable>(_ step: String, _ body: (Database) throws -> Value) throws(BrokerError) -> Value {
        try Store.attempt(step) { try database.write(body) }
    }

    private static func attempt<Value>(_ step: String, _ body: () throws -> Value) throws(BrokerError) -> Value {
        do {
            return try body()
        } catch let error as BrokerError {
            throw error
        } catch let error as DatabaseError {
            // The message alone: GRDB's description would repeat the statement and its arguments.
            throw BrokerError("cannot \(step): \(error.message ?? "SQLite error \(error.resultCode.rawValue)")")
        } catch {
            throw BrokerError("cannot \(step): \(error)")
        }
    }
}

// MARK: - For tests

extension Store {
    /// Runs one statement of no result, past all that keeps the tables consistent.
    package func execute(_ statement: String) throws(BrokerError) {
        try write("run a statement") { try $0.execute(sql: statement) }
    }

    /// The tables, by name.
    package func schema() throws(BrokerError) -> [String] {
        try read("read the schema") { database in
            try String.fetchAll(database, sql: "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        }
    }

    /// A setting of the connection that writes.
    package func pragma(_ name: String) throws(BrokerError) -> String? {
        try write("read a pragma") { try String.fetchOne($0, sql: "PRAGMA \(name)") }
    }
}
