// SPDX-License-Identifier: Apache-2.0

/// Where a store's tables are: one of two databases. What is asked of them is SQL that both understand, with parameters `?1`,
/// `?2`, …; only the tables themselves are made differently (``Schema``).
protocol Backend: Sendable {
    /// Runs `body`, which changes nothing and sees all tables at one moment.
    func read<Value>(_ body: (any Transaction) throws -> Value) throws -> Value

    /// Runs `body` as if nobody else were there, perhaps more than once. What it changed is on the disk when this returns; where
    /// `body` throws, nothing has changed.
    func write<Value>(_ body: (any Transaction) throws -> Value) throws -> Value

    /// Lets rows of the audit log be numbered after those that came with numbers.
    func alignNumbers(_ transaction: any Transaction) throws

    /// The names of the tables, sorted.
    func tables() throws -> [String]

    /// Runs statements past all that keeps the tables consistent: for tests.
    func run(script: String) throws
}

/// What a transaction is to who works in it.
protocol Transaction {
    /// Runs one statement and returns all rows that it gives.
    @discardableResult
    func rows(_ sql: String, _ arguments: [(any Storable)?]) throws -> [Record]
}

extension Transaction {
    @discardableResult
    func rows(_ sql: String) throws -> [Record] { try rows(sql, []) }

    func row(_ sql: String, _ arguments: [(any Storable)?] = []) throws -> Record? { try rows(sql, arguments).first }
}

/// A column's value.
enum Stored: Equatable, Sendable {
    case null
    case integer(Int64)
    case text(String)
}

/// What can be a statement's argument. SQL's truth values are 0 and 1 here.
protocol Storable {
    var stored: Stored { get }
}

extension String: Storable {
    var stored: Stored { .text(self) }
}

extension Int64: Storable {
    var stored: Stored { .integer(self) }
}

extension Int: Storable {
    var stored: Stored { .integer(Int64(self)) }
}

extension Bool: Storable {
    var stored: Stored { .integer(self ? 1 : 0) }
}

/// A row. A file or a server may hold what this version did not write: a column that is not there or of another type is an error.
struct Record: Sendable {
    let columns: [String: Stored]

    func text(_ column: String) throws(BrokerError) -> String {
        guard case .text(let text) = columns[column] else { throw damaged(column) }
        return text
    }

    func integer(_ column: String) throws(BrokerError) -> Int64 {
        guard case .integer(let number) = columns[column] else { throw damaged(column) }
        return number
    }

    /// nil for NULL.
    func optionalText(_ column: String) throws(BrokerError) -> String? { columns[column] == .null ? nil : try text(column) }

    /// nil for NULL.
    func optionalInteger(_ column: String) throws(BrokerError) -> Int64? {
        columns[column] == .null ? nil : try integer(column)
    }

    private func damaged(_ column: String) -> BrokerError { BrokerError("column \(column) is damaged") }
}
