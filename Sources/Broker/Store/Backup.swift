// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import Glibc
internal import PinKit

/// A store in one file (docs/spec/broker.md §5.3): a line per row, of either kind of store for either kind.
enum Backup {
    struct Table {
        let name: String
        /// In the order of the rows, and what one page of them ends with; nil where all rows are read at once.
        let pagedBy: String?
        let columns: [String]
    }

    /// What is not here can be had again.
    static let tables = [
        Table(name: "owner", pagedBy: nil, columns: ["thumbprint", "name", "jwk", "enrolled_at", "not_before"]),
        Table(name: "revocation", pagedBy: nil, columns: ["kind", "owner", "value", "revoked_at", "note"]),
        Table(name: "reference_set", pagedBy: nil, columns: ["owner", "name", "version", "text", "added_at"]),
        Table(
            name: "resource", pagedBy: nil, columns: ["path", "owner", "policy", "size", "set_at", "key_id", "sealed"]),
        Table(
            name: "broker_key", pagedBy: nil, columns: ["purpose", "id", "sealed", "key_id", "made_at", "active_at"]),
        Table(name: "replica", pagedBy: nil, columns: ["id", "key", "seq", "hash", "head"]),
        Table(
            name: "audit", pagedBy: "id",
            columns: [
                "id", "at", "decision", "owner", "binding", "chip", "remote", "simulated", "reason", "reasons", "resource",
                "replica", "seq", "hash", "actor", "action",
            ]),
        Table(
            name: "token", pagedBy: nil,
            columns: [
                "id", "hash", "owner", "scopes", "note", "pin", "created_at", "expires_at", "used_at",
            ]),
        Table(name: "repository", pagedBy: nil, columns: ["name", "owner"]),
        Table(name: "default_policy", pagedBy: nil, columns: ["owner", "policy"]),
    ]

    static let magic = "cvm-clevis-broker-backup"
    static let page = 1000
    /// Bytes of a backup that is read: of a log with a million entries under half of it.
    static let maximumLength = 1 << 30
}

extension Store {
    /// Writes all that cannot be had again to `path`, which must not exist, as it is at one moment. Returns how many rows.
    @discardableResult
    public func backUp(to path: String, at now: Int64) throws(BrokerError) -> Int {
        let file = try BackupWriter(path)
        do throws(BrokerError) {
            try read("back up") { transaction in
                try file.add([Backup.magic: 1, "at": .integer(now)])
                for table in Backup.tables {
                    var last: Int64 = 0
                    while true {
                        let select = "SELECT \(table.columns.joined(separator: ", ")) FROM \(table.name)"
                        let rows =
                            table.pagedBy == nil
                            ? try transaction.rows(select)
                            : try transaction.rows("\(select) WHERE id > ?1 ORDER BY id LIMIT \(Backup.page)", [last])
                        for row in rows {
                            try file.add([
                                "row": .array(table.columns.map { row.columns[$0].json }), "table": .string(table.name),
                            ])
                        }
                        guard let column = table.pagedBy, rows.count == Backup.page, let end = rows.last else { break }
                        last = try end.integer(column)
                    }
                }
            }
            return try file.finish()
        } catch {
            unsafe unlink(path)
            throw error
        }
    }

    /// Takes in what ``backUp(to:at:)`` wrote: all of it or, where it is damaged or this store has owners or a log already,
    /// nothing. The keys that this store has give way to those of the backup, which must open with one of `sealers`. Returns how
    /// many rows. Where the backup has no keys, those stay but for what `without` names.
    func restore(from path: String, _ sealers: [Sealer], without former: [KeyPurpose]) throws(BrokerError) -> Int {
        let bytes = try BrokerError.wrapping { () throws(FileError) in try FileIO.read(path, limit: Backup.maximumLength) }
        let lines = try Backup.lines(of: bytes, path)
        return try write("restore") { transaction in
            for table in ["owner", "audit", "resource", "revocation", "reference_set"] {
                guard try transaction.row("SELECT count(*) AS n FROM \(table)")?.integer("n") == 0 else {
                    throw BrokerError(
                        "the store is not empty (\(table)): nothing was changed", hint: "restore into a new broker: init DIR"
                    )
                }
            }
            // What init made.
            try transaction.rows("DELETE FROM replica")
            let keys = try KeyTable.all(transaction)
            try transaction.rows("DELETE FROM broker_key")
            for line in lines { try Backup.insert(JSON(parsing: Array(line), limit: line.count), transaction) }
            let restored = try KeyTable.all(transaction)
            for key in restored where !key.isRetired { _ = try key.open(sealers) }
            for key in keys where restored.isEmpty && !former.contains(key.purpose) { try KeyTable.put(key, transaction) }
            try backend.alignNumbers(transaction)
            return lines.count
        }
    }
}

extension Backup {
    /// The rows' lines of a backup that is whole.
    static func lines(of bytes: [UInt8], _ path: String) throws(BrokerError) -> [ArraySlice<UInt8>] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        // The last one is empty: the file ends with a line feed.
        guard lines.count >= 3, lines.last?.isEmpty == true, let first = try? JSON(parsing: Array(lines[0])),
            first[magic]?.integer == 1
        else { throw BrokerError("\(path) is no backup of a broker's store") }
        let digest = lines.dropLast(2).reduce([UInt8](repeating: 0, count: 32)) { Digest.sha256($0 + Array($1)) }
        let end: JSON = ["end": .string(Base64URL.encode(digest))]
        guard lines[lines.count - 2].elementsEqual(end.canonical.utf8) else {
            throw BrokerError("\(path) is damaged or cut off: nothing was changed")
        }
        return Array(lines[1..<(lines.count - 2)])
    }

    static func insert(_ line: JSON, _ transaction: any Transaction) throws {
        guard let table = tables.first(where: { $0.name == line["table"]?.string }), let row = line["row"]?.array,
            row.count == table.columns.count
        else {
            throw BrokerError(
                "a line of the backup is no row of this version", hint: "restore with the version that made it")
        }
        let places = table.columns.indices.map { "?\($0 + 1)" }.joined(separator: ", ")
        try transaction.rows(
            "INSERT INTO \(table.name) (\(table.columns.joined(separator: ", "))) VALUES (\(places))",
            row.map { value in
                if let number = value.integer { return number }
                return value.string
            })
    }
}

/// A file that comes to be line by line, each hashed with those before.
private final class BackupWriter {
    private let path: String
    private let descriptor: Int32
    private var digest = [UInt8](repeating: 0, count: 32)
    private var pending: [UInt8] = []
    private var count = 0

    init(_ path: String) throws(BrokerError) {
        self.path = path
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw BrokerError("cannot create \(path): \(unsafe String(cString: strerror(errno)))") }
    }

    deinit { close(descriptor) }

    func add(_ line: JSON) throws(BrokerError) {
        let bytes = Array(line.canonical.utf8)
        digest = Digest.sha256(digest + bytes)
        pending += bytes + [UInt8(ascii: "\n")]
        count += 1
        if pending.count > 1 << 20 { try flush() }
    }

    /// Rows, when all are on the disk.
    func finish() throws(BrokerError) -> Int {
        let rows = count - 1
        try add(["end": .string(Base64URL.encode(digest))])
        try flush()
        guard fsync(descriptor) == 0 else { throw failure() }
        return rows
    }

    private func flush() throws(BrokerError) {
        let text = String(decoding: pending, as: UTF8.self)
        try BrokerError.wrapping { () throws(FileError) in try FileIO.write(descriptor, text, name: path) }
        pending = []
    }

    private func failure() -> BrokerError { BrokerError("cannot write \(path): \(unsafe String(cString: strerror(errno)))") }
}

extension Stored? {
    fileprivate var json: JSON {
        switch self {
        case .text(let text): .string(text)
        case .integer(let number): .integer(number)
        case .null, nil: .null
        }
    }
}
