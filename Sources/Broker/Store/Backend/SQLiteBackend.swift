// SPDX-License-Identifier: Apache-2.0
internal import GRDB

/// One SQLite file. WAL, so that readers do not wait for the writer of the log. Commands may change it while a broker serves.
final class SQLiteBackend: Backend {
    private let pool: DatabasePool

    /// Opens the file at `path` and brings its tables to this version's form. A file from a newer version is refused.
    init(path: String) throws {
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 4
        pool = try DatabasePool(path: path, configuration: configuration)
        let migrator = Self.migrator
        guard try !pool.read(migrator.hasBeenSuperseded) else { throw Schema.newer(path) }
        try migrator.migrate(pool)
        // A pool's WAL syncs at checkpoints only; a decision must not be answered before it is on the disk.
        try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
    }

    func read<Value>(_ body: (any Transaction) throws -> Value) throws -> Value {
        try pool.read { try body(SQLiteTransaction(database: $0)) }
    }

    func write<Value>(_ body: (any Transaction) throws -> Value) throws -> Value {
        try pool.write { try body(SQLiteTransaction(database: $0)) }
    }

    /// SQLite sees to that itself.
    func alignNumbers(_ transaction: any Transaction) {}

    func tables() throws -> [String] {
        try read {
            try $0.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").map { try $0.text("name") }
        }
    }

    func run(script: String) throws { try pool.write { try $0.execute(sql: script) } }

    /// A setting of the connection that writes.
    func pragma(_ name: String) throws -> String? {
        try pool.write { try String.fetchOne($0, sql: "PRAGMA \(name)") }
    }

    /// GRDB's description would repeat the statement and its arguments.
    static func message(of error: any Error) -> String? {
        (error as? DatabaseError).map { $0.message ?? "SQLite error \($0.resultCode.rawValue)" }
    }

    private static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        for migration in Schema.sqlite {
            migrator.registerMigration(migration.name) { try $0.execute(sql: migration.script) }
        }
        return migrator
    }
}

private struct SQLiteTransaction: Transaction {
    let database: GRDB.Database

    func rows(_ sql: String, _ arguments: [(any Storable)?]) throws -> [Record] {
        let statement = try database.cachedStatement(sql: sql)
        let values = StatementArguments(arguments.map { $0?.stored.databaseValue ?? .null })
        return try Row.fetchAll(statement, arguments: values).map(record)
    }

    private func record(_ row: Row) -> Record {
        Record(columns: Dictionary(row.map { ($0.0, Stored($0.1)) }, uniquingKeysWith: { first, _ in first }))
    }
}

extension Stored {
    fileprivate var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let number): number.databaseValue
        case .text(let text): text.databaseValue
        }
    }

    /// Tables are STRICT: another type is no value that this version wrote, and reads as if nothing were there.
    fileprivate init(_ value: DatabaseValue) {
        switch value.storage {
        case .int64(let number): self = .integer(number)
        case .string(let text): self = .text(text)
        default: self = .null
        }
    }
}
