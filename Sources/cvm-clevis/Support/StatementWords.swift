// SPDX-License-Identifier: Apache-2.0
import PinKit

/// What an owner is about to sign, for a person to judge (docs/spec/luks-token.md §2).
struct StatementWords {
    private let new: Ledger.Entry

    init(_ new: Ledger.Entry) { self.new = new }

    /// What is signed, and what of it is different from `old`; nil where nothing is known of before.
    func lines(since old: Ledger.Entry?) -> [String] {
        let statement = new.statement
        let segment = statement["segment"]
        var lines = [
            "volume:  \(text(statement["uuid"])), to be known as \(text(statement["name"]))",
            "data:    \(text(segment?["encryption"])), sectors of \(text(segment?["sector_size"])) bytes from \(text(segment?["offset"]))",
            "keyslot: \(new.keyslot), opened by \(new.policy)",
        ]
        guard let old else { return lines + ["changed: not known; this machine has no record of an earlier signature"] }
        let changes = changes(since: old)
        lines += changes.map { "changed: \($0)" }
        return changes.isEmpty ? lines + ["changed: nothing since it was signed here: only the signature is gone"] : lines
    }

    private func changes(since old: Ledger.Entry) -> [String] {
        var lines: [String] = []
        for (member, words) in StatementWords.members where old.statement[member] != new.statement[member] {
            lines.append(words + difference(member, old))
        }
        return lines
    }

    /// A member and what it means that it changed; `iat`, `id` change with every signature.
    private static let members = [
        ("uuid", "the volume has another UUID"),
        ("segment", "the data are encrypted in another way, or lie elsewhere"),
        ("digest", "the volume key is another one: the disk was encrypted anew, or is another disk"),
        ("area", "the keyslot's key material lies elsewhere"),
        ("kdf", "the keyslot has another passphrase, or derives its key in another way"),
        ("af", "the keyslot's key material is split in another way"),
        ("jwe", "the policy's message is another one"),
        ("config", "what the token keeps of the configuration is something else"),
        ("name", "the volume has another name"),
        ("instance", "the policy is for another instance"),
    ]

    private func difference(_ member: String, _ old: Ledger.Entry) -> String {
        if member == "jwe" { return old.policy == new.policy ? ", of the same policy" : "; it was \(old.policy)" }
        let (before, after) = (old.statement[member], new.statement[member])
        guard let before = before?.object, let after = after?.object else {
            return ": \(text(before)) before, \(text(after)) now"
        }
        let names = before.names + after.names.filter { before[$0] == nil }
        let changed = names.filter { before[$0] != after[$0] }.map { name in
            "\(name) \(text(before[name])) before, \(text(after[name])) now"
        }
        return " (\(changed.joined(separator: "; ")))"
    }

    /// Short, and printable characters only: a disk is not to write to this terminal.
    private func text(_ value: JSON?) -> String {
        guard let value else { return "none" }
        let text = (value.string ?? value.canonical).prefix(64).filter { $0.isASCII && $0 >= " " && $0 <= "~" }
        return text.isEmpty ? "\"\"" : String(text)
    }
}
