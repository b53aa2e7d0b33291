// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Diagnosis
import LUKS
import PinKit
import TangPin

struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say which keys of a binding's tang servers were rotated.",
        discussion: """
            Standard output gets the thumbprints. Exit status: 0 none was, or the binding was made anew, 1 some were, or a server could
            not be asked.

            Example:
              cvm-clevis luks report -d disk.img -s 1
            """)

    @OptionGroup var options: VolumeOptions

    @Option(name: .short, help: "The keyslot of the binding.")
    var slot: Int

    @Flag(name: .short, help: "Do not ask whether to make the binding anew.")
    var quiet = false

    @Flag(name: .short, help: "Make the binding anew where keys were rotated.")
    var regenerate = false

    @OptionGroup var patience: Patience

    func run() throws {
        let rotated = try rotations().filter { !$0.missing.isEmpty }
        guard !rotated.isEmpty else { return }
        for server in rotated {
            Console.answer("\(server.url) does not advertise these keys any more; they were probably rotated:")
            for key in server.missing { Console.answer("  \(key)") }
        }
        let question = "Make the binding anew, as with: cvm-clevis luks regen -q -d \(options.device) -s \(slot)? [yN] "
        guard regenerate || (!quiet && Terminal.confirms(question) == true) else { throw ExitCode(1) }
        let regen = try Regen.parse(["-q", "-d", options.device, "-s", String(slot)])
        try regen.run()
    }

    private func rotations() throws -> [TangRotation] {
        let records = try options.bindings(Defaults())
        guard let record = records.first(where: { $0.keyslots.contains(slot) }), let message = record.message else {
            throw Failure("\(options.device): keyslot \(slot) is no clevis binding")
        }
        do {
            return try KeyRotation.report(on: message, registry: Pins.registry, before: patience.deadline)
        } catch {
            throw Failure("\(options.device): it is not known whether keys were rotated: \(error)")
        }
    }
}
