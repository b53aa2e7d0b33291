// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS
import PinKit

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List the bindings of a volume, a line each: keyslot, pin, configuration.",
        discussion: """
            Example:
              cvm-clevis luks list -d disk.img
            """)

    @OptionGroup var options: VolumeOptions

    @Option(name: .short, help: "Only this keyslot.")
    var slot: Int?

    @Flag(name: .short, help: "Only the names of the pins, sorted.")
    var pins = false

    @Flag(help: "Answer with JSON.")
    var json = false

    func run() throws {
        let form: Form = json ? .json : pins ? .pins : .configuration
        try List.list(options.volume, slot: slot, as: form)
    }

    enum Form {
        case configuration, pins, json
    }

    static func list(_ volume: Volume, slot: Int? = nil, as form: Form = .configuration) throws {
        let defaults = try Defaults()
        let records = try volume.bindings(defaults)
            .filter { slot == nil || $0.keyslots.contains(slot!) }
            .sorted { ($0.keyslots.first ?? -1, $0.token) < ($1.keyslots.first ?? -1, $1.token) }
        if let slot, records.isEmpty { throw Failure("\(volume.path): keyslot \(slot) is no clevis binding") }
        if form == .json { return Console.answer(JSON.array(records.map { $0.json(defaults) }).canonical) }
        for record in records {
            guard let message = record.message, let keyslot = record.keyslots.first else {
                Console.warn("\(volume.path): token \(record.token): \(record.problem?.description ?? "has no keyslot")")
                continue
            }
            Console.answer("\(keyslot): \(text(message, record.policy, as: form))")
        }
    }

    private static func text(_ message: JWE, _ policy: PolicyOutline?, as form: Form) -> String {
        guard form == .pins, let policy else { return ListedConfiguration(registry: Pins.registry).text(message) }
        return policy.pins.joined(separator: " ")
    }
}

extension BindingRecord {
    /// `config` is all that would make the binding again; it is missing where something of it is not known here.
    func json(_ defaults: Defaults) -> JSON {
        var object: JSONObject = [
            "token": .integer(Int64(token)), "keyslots": .array(keyslots.map { .integer(Int64($0)) }),
            "standing": .string("\(standing)"),
        ]
        if let message {
            object["policy"] = PolicyDrawing(registry: Pins.registry).json(message)
            object["config"] = try? RestoredConfiguration(self, defaults).configuration(of: message)
        }
        if let seal {
            object["id"] = .string(seal.id)
            object["iat"] = .integer(seal.issuedAt)
            object["name"] = .string(seal.name)
            object["instance"] = seal.instance.map { .string($0) }
        }
        if let problem { object["problem"] = .string(problem.description) }
        return .object(object)
    }
}
