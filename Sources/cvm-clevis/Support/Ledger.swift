// SPDX-License-Identifier: Apache-2.0
import FileIO
import PinKit

/// What the owner has signed, on the owner's machine: a file for each binding, beside the defaults. A disk cannot say what was
/// signed before somebody changed it; this can. Holds no secret, and nothing depends on it but the words of `luks sign`.
struct Ledger {
    static let limit = 256 << 10

    private let directory: String

    init(_ defaults: Defaults) { directory = "\(defaults.directory)/bindings" }

    struct Entry {
        /// As in docs/spec/luks-token.md §2.
        let statement: JSON
        /// Pin and configuration in a line.
        let policy: String
        let keyslot: Int

        var id: String { statement["id"]?.string ?? "" }
    }

    /// Keeps `entry`; a failure is a warning only, since the binding itself is made.
    func remember(_ entry: Entry) {
        let json: JSON = [
            "version": 1, "statement": entry.statement, "policy": .string(entry.policy),
            "keyslot": .integer(Int64(entry.keyslot)),
        ]
        do {
            try FileIO.makeDirectory(directory, mode: 0o700)
            try FileIO.replace(path(entry.id), Array("\(json.pretty)\n".utf8))
        } catch {
            Console.warn("what was signed is not remembered here, so 'luks sign' could not compare: \(error)")
        }
    }

    /// What was last signed under this id; else, where a binding has lost its id, what was last signed for this keyslot of this
    /// volume.
    func entry(id: String?, uuid: String, keyslot: Int) -> Entry? {
        if let id { return read(path(id)) }
        let names = (try? FileIO.names(in: directory)) ?? []
        return names.compactMap { read("\(directory)/\($0)") }
            .filter { $0.statement["uuid"]?.string == uuid && $0.keyslot == keyslot }
            .max { ($0.statement["iat"]?.integer ?? 0) < ($1.statement["iat"]?.integer ?? 0) }
    }

    /// Of base64url, which is good for a file's name.
    private func path(_ id: String) -> String { "\(directory)/\(id).json" }

    private func read(_ path: String) -> Entry? {
        guard let text = try? FileIO.read(path, limit: Ledger.limit), let json = try? JSON(parsing: text),
            json["version"] == 1, let statement = json["statement"], let policy = json["policy"]?.string,
            let keyslot = json["keyslot"]?.integer
        else { return nil }
        return Entry(statement: statement, policy: policy, keyslot: Int(keyslot))
    }
}
