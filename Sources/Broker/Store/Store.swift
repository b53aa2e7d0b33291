// SPDX-License-Identifier: Apache-2.0
internal import PostgreSQL

/// What a broker remembers: owners, revocations, resources, reference values and the audit log, in SQLite or PostgreSQL.
///
/// Commands may change it while a broker serves: each request reads it anew.
public final class Store: Sendable {
    let backend: any Backend

    /// Opens the file, or the database where it is the URL of a PostgreSQL server, and brings its tables to this version's form.
    /// What a newer version wrote is refused.
    package init(at place: String) throws(BrokerError) {
        let isServer = PostgresAddress.isAddress(place)
        backend = try Store.attempt(isServer ? "use the store" : "open \(place)") {
            if isServer { return try PostgresBackend(place) as any Backend }
            return try SQLiteBackend(path: place)
        }
    }

    /// The store of an existing broker's directory.
    public convenience init(in directory: BrokerDirectory) throws(BrokerError) {
        try directory.requireBroker()
        try self.init(at: directory.storePlace())
    }

    func read<Value>(_ step: String, _ body: (any Transaction) throws -> Value) throws(BrokerError) -> Value {
        try Store.attempt(step) { try backend.read(body) }
    }

    /// One transaction: all of it, or nothing; on the disk when this returns.
    func write<Value>(_ step: String, _ body: (any Transaction) throws -> Value) throws(BrokerError) -> Value {
        try Store.attempt(step) { try backend.write(body) }
    }

    private static func attempt<Value>(_ step: String, _ body: () throws -> Value) throws(BrokerError) -> Value {
        do {
            return try body()
        } catch let error as BrokerError {
            throw error
        } catch let error as PostgresError {
            throw BrokerError("cannot \(step): \(error)", hint: error.hint)
        } catch {
            throw BrokerError("cannot \(step): \(SQLiteBackend.message(of: error) ?? "\(error)")")
        }
    }
}

// MARK: - For tests

extension Store {
    /// Runs statements of no result, past all that keeps the tables consistent.
    package func execute(_ script: String) throws(BrokerError) {
        try Store.attempt("run a statement") { try backend.run(script: script) }
    }

    /// The tables, by name.
    package func schema() throws(BrokerError) -> [String] {
        try Store.attempt("read the schema") { try backend.tables() }
    }

    /// A setting of the connection that writes; nil where the store is no SQLite file.
    package func pragma(_ name: String) throws(BrokerError) -> String? {
        try Store.attempt("read a pragma") { try (backend as? SQLiteBackend)?.pragma(name) }
    }
}
