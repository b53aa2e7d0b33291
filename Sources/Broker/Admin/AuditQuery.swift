// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// Which part of the audit log a call asks for, from the query of its address.
struct AuditQuery: Sendable {
    static let limits: ClosedRange<Int64> = 1...500
    private static let usualLimit = 100
    /// Characters of `after`, and replicas in it.
    private static let maximumLength = 8 << 10
    private static let maximumReplicas = 64

    let filter: AuditFilter
    /// How far each replica's chain is known; nil for the last entries.
    let after: [String: Int64]?
    let limit: Int

    /// `owner`: whose entries alone are listed, whatever `query` says.
    init(_ query: [String: String], owner: String) throws(JSONError) {
        var filter = AuditFilter()
        var after: [String: Int64]?
        var limit = Self.usualLimit
        for (name, value) in query {
            switch name {
            case "action": filter.action = value
            case "after": after = try Self.places(in: value)
            case "binding": filter.binding = value
            case "chip": filter.chip = value
            case "decision": filter.decision = Verdict.Decision(rawValue: value)
            case "limit": limit = Int(try Self.number(value, name, in: Self.limits))
            case "resource": filter.resource = value
            case "since": filter.since = try Self.number(value, name)
            case "until": filter.until = try Self.number(value, name)
            default: throw JSONError(place: "query", problem: "has unknown member \(name)")
            }
        }
        filter.owner = owner
        self.filter = filter
        self.after = after
        self.limit = limit
    }

    /// For `next`: base64url of a JSON object.
    static func text(of places: [String: Int64]) -> String {
        var members = JSONObject()
        for (replica, sequence) in places { members[replica] = .integer(sequence) }
        return Base64URL.encode(Array(JSON.object(members).canonical.utf8))
    }

    private static func places(in text: String) throws(JSONError) -> [String: Int64] {
        let wrong = JSONError(place: "after", problem: "is not what an answer had as next")
        guard text.utf8.count <= maximumLength, let bytes = Base64URL.decode(text),
            let object = try JSON(parsing: bytes, limit: maximumLength).object, object.members.count <= maximumReplicas
        else { throw wrong }
        var places: [String: Int64] = [:]
        for member in object.members {
            guard let number = member.value.integer, number >= 0 else { throw wrong }
            places[member.name] = number
        }
        return places
    }

    private static func number(
        _ text: String, _ name: String, in range: ClosedRange<Int64> = 0...Int64.max
    ) throws(JSONError) -> Int64 {
        guard let number = Int64(text), range.contains(number) else {
            throw JSONError(place: name, problem: "must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

/// A part of the log, and how far each replica's chain is known with it.
struct AuditPage: Sendable {
    let entries: [RecordedEntry]
    let places: [String: Int64]
}

extension Store {
    /// Bytes of entries in one answer.
    private static let pageBytes = 512 << 10

    /// What follows `places`, oldest first of each replica, or the last entries where none are given: at most `limit` (of each
    /// replica), and no more than an answer holds.
    func auditPage(_ filter: AuditFilter, after places: [String: Int64]?, limit: Int) throws(BrokerError) -> AuditPage {
        try read("read the audit log") { transaction in
            let ends = try transaction.rows("SELECT id, seq FROM replica ORDER BY id").map { row in
                (replica: try row.text("id"), sequence: try row.integer("seq"))
            }
            guard let places else {
                let last = try Store.last(limit, filter, transaction)
                return AuditPage(
                    entries: Store.newest(of: last),
                    places: Dictionary(ends.map { ($0.replica, $0.sequence) }, uniquingKeysWith: max))
            }
            var page: [RecordedEntry] = []
            var reached: [String: Int64] = [:]
            var room = Store.pageBytes
            for (replica, end) in ends {
                let start = places[replica] ?? 0
                let entries = try Store.following(start, of: replica, limit, filter, transaction)
                let fitting = entries.prefix { entry in
                    room -= entry.length
                    return room >= 0
                }
                page += fitting
                // All of them: what follows in the chain is not for this question.
                let isAll = fitting.count == entries.count && entries.count < limit
                reached[replica] = isAll ? max(start, end) : fitting.last?.place?.sequence ?? start
            }
            return AuditPage(entries: page, places: reached)
        }
    }

    /// As many of the newest as one answer holds, oldest first.
    private static func newest(of entries: [RecordedEntry]) -> [RecordedEntry] {
        var room = pageBytes
        return entries.reversed().prefix { entry in
            room -= entry.length
            return room >= 0
        }.reversed()
    }
}

extension RecordedEntry {
    fileprivate var length: Int { json.canonical.utf8.count }
}
