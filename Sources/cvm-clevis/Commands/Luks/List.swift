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

    @Flag(help: "Answer with JSON.")
    var json = false

    func run() throws {
        let records = try options.bindings(Defaults()).filter { slot == nil || $0.keyslots.contains(slot!) }
        if json { return Console.answer(JSON.array(records.map(\.json)).canonical) }
        for record in records {
            guard let message = record.message, let keyslot = record.keyslots.first else {
                Console.warn("\(options.device): token \(record.token): \(record.problem?.description ?? "has no keyslot")")
                continue
            }
            Console.answer("\(keyslot): \(PolicyDrawing(registry: Pins.registry).configuration(message))")
        }
    }
}

extension BindingRecord {
    var json: JSON {
        var object: JSONObject = [
            "token": .integer(Int64(token)), "keyslots": .array(keyslots.map { .integer(Int64($0)) }),
            "standing": .string("\(standing)"),
        ]
        if let message { object["policy"] = PolicyDrawing(registry: Pins.registry).json(message) }
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
