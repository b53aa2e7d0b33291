// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import CPQ
internal import Glibc

/// One connection, used by one thread at a time. No statement takes longer than `patience`.
@safe package final class PostgresConnection {
    /// Seconds for a statement. The server gives up before we do.
    private static let patience: Int64 = 15
    /// OIDs of what arguments are: int8 and text.
    private static let (integerType, textType): (Oid, Oid) = (20, 25)

    private let pq: UnsafePointer<cvm_pq>
    private let connection: OpaquePointer

    package init(to address: PostgresAddress) throws {
        unsafe pq = try LibPQ.functions()
        guard let connection = unsafe cvm_pq_connect(pq, address.url, address.defaultTLS) else {
            throw PostgresError(code: "", description: "no memory")
        }
        unsafe self.connection = connection
        guard unsafe pq.pointee.status(connection) == CONNECTION_OK, unsafe pq.pointee.setnonblocking(connection, 1) == 0
        else {
            throw lost()
        }
        try run(
            script: """
                SET statement_timeout = '10s'; SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '30s';
                SET synchronous_commit = on; SET client_min_messages = warning; SET bytea_output = hex;
                """)
    }

    deinit { unsafe pq.pointee.finish(connection) }

    /// Statements without arguments, separated by semicolons; what they give is dropped.
    package func run(script: String) throws {
        guard unsafe pq.pointee.sendQuery(connection, script) == 1 else { throw lost() }
        _ = try results()
    }

    /// Runs one statement and returns all rows that it gives, by column. Parameters are `$1`, `$2`, …
    package func rows(_ sql: String, _ arguments: [PostgresValue]) throws -> [[String: PostgresValue]] {
        // libpq ends a text there, and PostgreSQL stores none.
        guard !arguments.contains(where: \.hasZeroByte) else {
            throw PostgresError(code: "22021", description: "a text has a zero byte")
        }
        let types = arguments.map { if case .integer = $0 { Self.integerType } else { Self.textType } }
        let sent = unsafe withTexts(arguments) { values in
            unsafe pq.pointee.sendQueryParams(
                connection, sql, Int32(clamping: arguments.count), types, values, nil, nil, 0)
        }
        guard sent == 1 else { throw lost() }
        return try results()
    }

    private func withTexts(
        _ values: [PostgresValue], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Int32
    ) -> Int32 {
        let copies: [UnsafeMutablePointer<CChar>?] = unsafe values.map { value in
            switch value {
            case .null: nil
            case .integer(let number): unsafe strdup("\(number)")
            case .text(let text): unsafe strdup(text)
            }
        }
        defer { unsafe copies.forEach { unsafe free($0) } }
        return unsafe copies.map { unsafe UnsafePointer($0) }.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
    }

    // MARK: - Waiting for answers

    private func results() throws -> [[String: PostgresValue]] {
        let deadline = Self.now() + Self.patience
        var records: [[String: PostgresValue]] = []
        var failure: PostgresError?
        while true {
            try wait(until: deadline)
            guard let result = unsafe pq.pointee.getResult(connection) else { break }
            defer { unsafe pq.pointee.clear(result) }
            switch unsafe pq.pointee.resultStatus(result) {
            case PGRES_TUPLES_OK: records = try unsafe read(result)
            case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY: break
            default: failure = unsafe failure ?? error(in: result)
            }
        }
        if let failure { throw failure }
        return records
    }

    /// Until the next result can be taken without waiting.
    private func wait(until deadline: Int64) throws {
        while true {
            let unsent = unsafe pq.pointee.flush(connection)
            guard unsent >= 0, unsafe pq.pointee.consumeInput(connection) == 1 else { throw lost() }
            guard unsafe unsent == 1 || pq.pointee.isBusy(connection) == 1 else { return }
            let left = deadline - Self.now()
            var watched = unsafe pollfd(
                fd: pq.pointee.socket(connection), events: Int16(POLLIN | (unsent == 1 ? POLLOUT : 0)), revents: 0)
            guard left > 0, unsafe poll(&watched, 1, Int32(clamping: left * 1000)) >= 0 || errno == EINTR else {
                throw PostgresError(code: "", description: "no answer within \(Self.patience) s")
            }
        }
    }

    private func read(_ result: OpaquePointer) throws -> [[String: PostgresValue]] {
        let columns = unsafe (0..<pq.pointee.nfields(result)).map { column in
            let name = unsafe pq.pointee.fname(result, column).map { unsafe String(cString: $0) } ?? ""
            return unsafe (name: name, type: pq.pointee.ftype(result, column))
        }
        return try unsafe (0..<pq.pointee.ntuples(result)).map { row in
            var values: [String: PostgresValue] = [:]
            for (index, column) in columns.enumerated() {
                values[column.name] = try unsafe value(result, row, Int32(index), column.type)
            }
            return values
        }
    }

    private func value(_ result: OpaquePointer, _ row: Int32, _ column: Int32, _ type: Oid) throws -> PostgresValue {
        guard unsafe pq.pointee.getisnull(result, row, column) == 0,
            let start = unsafe pq.pointee.getvalue(result, row, column)
        else {
            return .null
        }
        let text = unsafe String(cString: start)
        // Of int8, int4 and int2; count(*) is the first of them.
        guard [20, 23, 21].contains(type) else { return .text(text) }
        guard let number = Int64(text) else {
            throw PostgresError(description: "the server's number \(printable(text)) is none")
        }
        return .integer(number)
    }

    private func error(in result: OpaquePointer) -> PostgresError {
        let code = unsafe cvm_pq_sqlstate(pq, result).map { unsafe String(cString: $0) } ?? ""
        let message = unsafe cvm_pq_message(pq, result).map { unsafe String(cString: $0) }
        return PostgresError(code: code, description: message.map { printable($0) } ?? lost().description)
    }

    private func lost() -> PostgresError {
        let words = unsafe pq.pointee.errorMessage(connection)
        let message = unsafe words.map { unsafe String(cString: $0) } ?? ""
        let line = message.split(whereSeparator: \.isNewline).joined(separator: "; ")
        return PostgresError(code: "", description: line.isEmpty ? "the connection is lost" : printable(line))
    }

    /// Seconds on a clock that is not set.
    private static func now() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec)
    }
}

extension PostgresValue {
    fileprivate var hasZeroByte: Bool { if case .text(let text) = self { text.utf8.contains(0) } else { false } }
}
