// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker
import FileIO
import Glibc
import PinKit

struct Audit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List and verify the broker's decisions.",
        discussion: """
            Example:
              cvm-clevis-broker audit list /srv/broker --last 20
              cvm-clevis-broker audit verify /srv/broker --head heads.txt
            """,
        subcommands: [List.self, Verify.self, Head.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print decisions, oldest first, with what failed.",
            discussion: """
                Example:
                  cvm-clevis-broker audit list /srv/broker --owner alice --since 2026-11-24T00:00:00Z --json
                  cvm-clevis-broker audit list /srv/broker --decision refused --follow
                """)

        @OptionGroup var target: DirectoryArgument
        @Option(help: "How many of the last decisions.") var last = 100
        @Option(help: "Only an owner's: name or thumbprint.") var owner: Selector?
        @Option(help: "Only those: granted, refused, malformed or unavailable.") var decision: String?
        @Option(help: "Only a binding's, by its id.") var binding: Selector?
        @Option(help: "Only of a chip, by its id in base64url.") var chip: Selector?
        @Option(help: "Only of a resource, by its path.") var resource: String?
        @Option(help: "Only calls of administrators for that, such as resource-put.") var action: String?
        @Option(help: "Only a replica's, by its thumbprint.") var replica: Selector?
        @Option(help: "Not before that moment: 2026-11-24T16:50:00Z, or seconds since 1970.") var since: Moment?
        @Option(help: "Before that moment.") var until: Moment?
        @Flag(help: "Go on with what is decided from now on, until interrupted.") var follow = false
        @Flag(help: "One JSON object per line.") var json = false

        func validate() throws {
            guard last > 0 else { throw ValidationError("--last must be at least 1") }
        }

        func run() throws {
            let store = try Store(in: target.directory)
            let filter = try filter(store)
            // Before the list is read, so that nothing is between the two; what is in both is printed once.
            var places = try Dictionary(uniqueKeysWithValues: store.auditHeads().map { ($0.replica, $0.sequence) })
            show(try store.audit(filter, last: last), &places)
            while follow {
                usleep(500_000)
                show(try store.audit(filter, after: places, limit: 1000), &places)
            }
        }

        private func filter(_ store: Store) throws -> AuditFilter {
            var filter = AuditFilter()
            filter.owner = try owner.map { try store.owner($0.text).thumbprint }
            filter.decision = decision.map(Verdict.Decision.init)
            filter.binding = binding?.text
            filter.chip = chip?.text
            filter.resource = resource
            filter.action = action
            filter.replica = replica?.text
            filter.since = since?.seconds
            filter.until = until?.seconds
            return filter
        }

        private func show(_ entries: [RecordedEntry], _ places: inout [String: Int64]) {
            for recorded in entries {
                printNow(json ? recorded.json.canonical : line(recorded.entry))
                guard let place = recorded.place else { continue }
                places[place.replica] = max(places[place.replica] ?? 0, place.sequence)
            }
        }

        private func line(_ entry: AuditEntry) -> String {
            var words = [timestamp(entry.at), entry.verdict.decision.rawValue]
            if let action = entry.action { words.append(action) }
            if let actor = entry.actor { words.append("token \(actor)") }
            if entry.simulated { words.append("SIMULATED") }
            if let binding = entry.binding { words.append("binding \(binding)") }
            if let resource = entry.resource { words.append("resource \(resource)") }
            if let owner = entry.owner { words.append("owner \(owner)") }
            if let chip = entry.chip { words.append("chip \(chip.prefix(11))…") }
            words.append("from \(entry.remote)")
            let explained = entry.verdict.explained
            return words.joined(separator: "  ") + (explained.isEmpty ? "" : "  \(explained)")
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find entries that were changed, removed, reordered or cut off.",
            discussion: """
                Every replica chains its entries and signs the end. Only a head that was kept elsewhere (audit head, or the header
                Cvm-Clevis-Audit-Head of an answer) shows that the log was put back to an earlier state. Exit status 1 where anything
                is wrong.

                Example:
                  cvm-clevis-broker audit verify /srv/broker --head heads.txt
                """)

        @OptionGroup var target: DirectoryArgument
        @Option(help: ArgumentHelp("Heads that were kept, one per line; - reads standard input.", valueName: "file"))
        var head: String?
        @Flag(help: "One JSON object.") var json = false

        func run() throws {
            let own = try target.directory.auditReplica()
            let report = try Store(in: target.directory).verifyAudit(heads: heads(), own: own)
            if json {
                print(report.json.canonical)
            } else {
                for (replica, count) in report.entries.sorted(by: { $0.key < $1.key }) {
                    print("replica \(replica): \(count) entries")
                }
                if report.unchained > 0 {
                    print("\(report.unchained) entries are older than the chains: nothing vouches for them")
                }
            }
            guard report.problems.isEmpty else {
                for problem in report.problems.dropLast() { printError("cvm-clevis-broker: error: \(problem)") }
                throw BrokerError(
                    report.problems[report.problems.count - 1], hint: "compare with a backup; the log is evidence now")
            }
        }

        private func heads() throws -> [AuditHead] {
            guard let head else { return [] }
            let limit = 16 << 20
            do {
                let text =
                    head == "-"
                    ? try FileIO.read(STDIN_FILENO, limit: limit, name: "standard input")
                    : try FileIO.read(head, limit: limit)
                return try String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace)
                    .map { try AuditHead(parsing: String($0)) }
            } catch {
                throw BrokerError("\(head): \(error)")
            }
        }
    }

    struct Head: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print each replica's signed head, to be kept elsewhere.",
            discussion: """
                Example:
                  cvm-clevis-broker audit head /srv/broker >> heads.txt
                """)

        @OptionGroup var target: DirectoryArgument

        func run() throws {
            for head in try Store(in: target.directory).auditHeads() { print(head.compact) }
        }
    }
}

/// `2026-11-24T16:50:00Z`
func timestamp(_ seconds: Int64) -> String {
    var moment = time_t(seconds)
    var parts = unsafe tm()
    var text = [CChar](repeating: 0, count: 32)
    guard unsafe gmtime_r(&moment, &parts) != nil, unsafe strftime(&text, text.count, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0
    else {
        return "\(seconds)"
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Seconds since 1970, or what ``timestamp(_:)`` writes.
struct Moment: ExpressibleByArgument {
    let seconds: Int64

    init?(argument: String) {
        if let seconds = Int64(argument), seconds >= 0 {
            self.seconds = seconds
            return
        }
        let digits = argument.utf8.map { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 ? UInt8(ascii: "0") : $0 }
        guard digits == Array("0000-00-00T00:00:00Z".utf8) else { return nil }
        let fields = argument.utf8.split { !(UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0) }
            .map { $0.reduce(Int32(0)) { $0 * 10 + Int32($1 - UInt8(ascii: "0")) } }
        var parts = unsafe tm()
        unsafe (parts.tm_year, parts.tm_mon, parts.tm_mday) = (fields[0] - 1900, fields[1] - 1, fields[2])
        unsafe (parts.tm_hour, parts.tm_min, parts.tm_sec) = (fields[3], fields[4], fields[5])
        seconds = unsafe Int64(timegm(&parts))
        // A day or an hour that there is not would have become another one.
        guard timestamp(seconds) == argument else { return nil }
    }
}
