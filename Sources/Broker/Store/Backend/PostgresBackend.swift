// SPDX-License-Identifier: Apache-2.0
internal import PostgreSQL
internal import Synchronization

/// A PostgreSQL database, which the replicas of a broker share. Opens as many connections as threads use at once, and keeps them.
final class PostgresBackend: Backend {
    /// Runs of one transaction that others get in the way of.
    private static let attempts = 20
    /// Names the lock under which tables are made: any number that no other program on the database uses for that.
    private static let migrationLock: Int64 = 0x6376_6d63_6c65_7669

    private let address: PostgresAddress
    /// `PostgresConnection` is no Sendable: what lies here nobody else uses.
    private struct Idle: @unchecked Sendable { var connections: [PostgresConnection] = [] }
    private let idle = Mutex(Idle())

    /// Reaches the server and brings the tables to this version's form. Tables of a newer version are refused.
    init(_ url: String) throws {
        address = try PostgresAddress(url)
        try migrate()
    }

    func read<Value>(_ body: (any Transaction) throws -> Value) throws -> Value {
        try transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", body)
    }

    func write<Value>(_ body: (any Transaction) throws -> Value) throws -> Value {
        for _ in 1..<Self.attempts {
            do {
                return try transaction("BEGIN ISOLATION LEVEL SERIALIZABLE", body)
            } catch let error as PostgresError where error.isConflict {}
        }
        return try transaction("BEGIN ISOLATION LEVEL SERIALIZABLE", body)
    }

    func alignNumbers(_ transaction: any Transaction) throws {
        try transaction.rows(
            "SELECT setval(pg_get_serial_sequence('audit', 'id'), (SELECT coalesce(max(id), 0) + 1 FROM audit), false)")
    }

    func tables() throws -> [String] {
        try read {
            try $0.rows(
                "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename COLLATE \"C\""
            )
            .map { try $0.text("tablename") }
        }
    }

    func run(script: String) throws { try PostgresConnection(to: address).run(script: script) }

    private func transaction<Value>(_ begin: String, _ body: (any Transaction) throws -> Value) throws -> Value {
        let connection = try began(begin)
        do {
            let value = try body(PostgresTransaction(connection: connection))
            try connection.run(script: "COMMIT")
            keep(connection)
            return value
        } catch let error as PostgresError where error.isLost {
            throw error
        } catch {
            // One that cannot even do that is closed, and the server undoes the rest.
            if (try? connection.run(script: "ROLLBACK")) != nil { keep(connection) }
            throw error
        }
    }

    /// A connection in a transaction. Those that the server closed meanwhile are found out here, before anything was done.
    private func began(_ begin: String) throws -> PostgresConnection {
        while let connection = takeIdle() {
            do {
                try connection.run(script: begin)
                return connection
            } catch {
                continue
            }
        }
        let connection = try PostgresConnection(to: address)
        try connection.run(script: begin)
        return connection
    }

    private func takeIdle() -> PostgresConnection? { idle.withLock { $0.connections.popLast() } }

    private func keep(_ connection: PostgresConnection) {
        let kept = Idle(connections: [connection])
        idle.withLock { $0.connections += kept.connections }
    }

    // MARK: - Tables

    private func migrate() throws {
        let names = Schema.postgres.map(\.name)
        let connection = try PostgresConnection(to: address)
        // Replicas that start at once: one makes the tables, the others find them.
        try connection.run(script: "SELECT pg_advisory_lock(\(Self.migrationLock))")
        try connection.run(script: "CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY)")
        let applied = try PostgresTransaction(connection: connection).rows("SELECT name FROM migration").map {
            try $0.text("name")
        }
        guard Set(applied).isSubset(of: names) else { throw Schema.newer("the store") }
        for migration in Schema.postgres where !applied.contains(migration.name) {
            try connection.run(
                script: "BEGIN; \(migration.script); INSERT INTO migration VALUES ('\(migration.name)'); COMMIT")
        }
    }
}

private struct PostgresTransaction: Transaction {
    let connection: PostgresConnection

    func rows(_ sql: String, _ arguments: [(any Storable)?]) throws -> [Record] {
        try connection.rows(translated(sql), arguments.map { PostgresValue($0?.stored ?? .null) })
            .map { Record(columns: $0.mapValues(Stored.init)) }
    }

    /// Parameters as PostgreSQL writes them.
    private func translated(_ sql: String) -> String {
        String(decoding: sql.utf8.map { $0 == UInt8(ascii: "?") ? UInt8(ascii: "$") : $0 }, as: UTF8.self)
    }
}

extension PostgresValue {
    fileprivate init(_ value: Stored) {
        switch value {
        case .null: self = .null
        case .integer(let number): self = .integer(number)
        case .text(let text): self = .text(text)
        }
    }
}

extension Stored {
    fileprivate init(_ value: PostgresValue) {
        switch value {
        case .null: self = .null
        case .integer(let number): self = .integer(number)
        case .text(let text): self = .text(text)
        }
    }
}
