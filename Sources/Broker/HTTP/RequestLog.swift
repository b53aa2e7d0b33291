// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import Glibc
internal import Logging
internal import PinKit
internal import Synchronization
internal import SystemTime

/// What happened, on standard error: one JSON object per line (docs/spec/broker.md §8.2). Holds nothing secret, and a peer's words
/// only as values in it, so that they cannot pose as lines.
struct RequestLog: Sendable {
    /// Lines a minute about requests that were turned away for their number: a flood must not become one of the log.
    private static let floodLinesPerMinute = 60

    enum Level: String { case info, warning, error }

    private let floods = Flood()

    /// One request and what became of it. `notes` has its decisions, `rejection` is why it got an error.
    func note(_ request: Described, status: Int, took duration: Duration, _ notes: RequestNotes, _ rejection: Rejection?) {
        if rejection?.variant == .tooManyRequests, !floods.mayBeNoted(at: systemSeconds()) { return }
        let decisions = notes.decisions
        var line: JSONObject = [
            "remote": .string(request.remote), "method": .string(request.method), "path": .string(request.path),
            "status": .integer(Int64(status)), "microseconds": .integer(duration.microseconds),
        ]
        if let rejection {
            line["error"] = .string(rejection.variant.name)
            if decisions.isEmpty { line["detail"] = .string(rejection.detail) }
            line["cause"] = rejection.cause.map { .string(printable($0.description, limit: 1024)) }
        }
        if !decisions.isEmpty { line["decisions"] = .array(decisions.map(Self.json)) }
        write(level(rejection, decisions), "request", line)
    }

    /// Something that is no request: a warning for the operator.
    func note(_ level: Level, _ event: String, _ detail: String) {
        write(level, event, ["detail": .string(printable(detail, limit: 1024))])
    }

    /// What a request looked like, in bounds.
    struct Described {
        let remote: String
        let method: String
        let path: String

        init(remote: String, method: String, path: String) {
            self.remote = remote
            self.method = printable(method, limit: 16)
            self.path = printable(path, limit: 256)
        }
    }

    private func level(_ rejection: Rejection?, _ decisions: [AuditEntry]) -> Level {
        if rejection?.cause != nil { return .error }
        return rejection == nil && decisions.allSatisfy { $0.verdict.explained.isEmpty } ? .info : .warning
    }

    private static func json(_ entry: AuditEntry) -> JSON {
        var members: JSONObject = ["decision": .string(entry.verdict.decision.rawValue)]
        members["owner"] = entry.owner.map { .string(printable($0, limit: 128)) }
        members["binding"] = entry.binding.map { .string(printable($0, limit: 128)) }
        members["resource"] = entry.resource.map { .string($0) }
        members["chip"] = entry.chip.map { .string($0) }
        members["actor"] = entry.actor.map { .string($0) }
        members["action"] = entry.action.map { .string($0) }
        if entry.simulated { members["simulated"] = true }
        if !entry.verdict.explained.isEmpty { members["reason"] = .string(entry.verdict.explained) }
        return .object(members)
    }

    private func write(_ level: Level, _ event: String, _ members: JSONObject) {
        var line: JSONObject = [
            "time": .string(Timestamp.now), "level": .string(level.rawValue), "event": .string(event),
        ]
        for member in members.members { line[member.name] = member.value }
        let bytes = Array((JSON.object(line).compact + "\n").utf8)
        _ = unsafe Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }

    private final class Flood: Sendable {
        private let budget = Mutex(MinuteBudget(floodLinesPerMinute))
        func mayBeNoted(at now: Int64) -> Bool { budget.withLock { $0.take(at: now) } }
    }
}

/// What is to be said of a request when it is over, gathered while it is worked on.
final class RequestNotes: Sendable {
    private let entries = Mutex([AuditEntry]())

    func add(_ decisions: [AuditEntry]) { entries.withLock { $0 += decisions } }

    var decisions: [AuditEntry] { entries.withLock { $0 } }
}

/// The HTTP library's own complaints, in the same form.
struct LibraryLog: LogHandler {
    let log: RequestLog
    var metadata: Logger.Metadata = [:]
    // Its lines about starting and stopping are not worth a reader's time.
    var logLevel = Logger.Level.error

    init(_ log: RequestLog) { self.log = log }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { log.note(.error, "http", "\(event.message)") }
}

/// Moments in words.
enum Timestamp {
    /// UTC as in RFC 3339, to the millisecond.
    static var now: String {
        let time = WallClock.milliseconds()
        let milliseconds = time % 1000
        let padding = milliseconds < 10 ? "00" : milliseconds < 100 ? "0" : ""
        return text(Int(time / 1000), "%Y-%m-%dT%H:%M:%S") + ".\(padding)\(milliseconds)Z"
    }

    /// As in HTTP's Date (RFC 9110 §5.6.7). The program sets no locale, so the names are English.
    static var http: String { text(Int(systemSeconds()), "%a, %d %b %Y %H:%M:%S GMT") }

    private static func text(_ seconds: Int, _ format: String) -> String {
        var time = time_t(seconds)
        var fields = unsafe tm()
        _ = unsafe gmtime_r(&time, &fields)
        var text = [CChar](repeating: 0, count: 64)
        let count = unsafe strftime(&text, text.count, format, &fields)
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension Duration {
    /// Whole microseconds, 0 at least.
    var microseconds: Int64 {
        let (seconds, attoseconds) = components
        return max(0, seconds &* 1_000_000 &+ attoseconds / 1_000_000_000_000)
    }
}
