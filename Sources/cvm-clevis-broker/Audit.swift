// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker
import Glibc
import PinKit

struct Audit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the broker's decisions, oldest first, with what failed.",
        discussion: """
            Example:
              cvm-clevis-broker audit /srv/broker --last 20
              cvm-clevis-broker audit /srv/broker --owner alice --json
            """)

    @OptionGroup var target: DirectoryArgument
    @Option(help: "How many of the last decisions.") var last = 100
    @Option(help: "Only an owner's: name or thumbprint.") var owner: Selector?
    @Flag(help: "One JSON object per line.") var json = false

    func run() throws {
        guard last > 0 else { throw ValidationError("--last must be at least 1") }
        let store = try Store(in: target.directory)
        let owner = try owner.map { try store.owner($0.text).thumbprint }
        for entry in try store.auditEntries(last: last, owner: owner) {
            print(json ? entry.json.canonical : line(entry))
        }
    }

    private func line(_ entry: AuditEntry) -> String {
        var words = [timestamp(entry.at), entry.verdict.decision.rawValue]
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
