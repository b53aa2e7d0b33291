// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS
import PinKit

struct Tree: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draw the bindings of a volume with their policies, and say who signed them.",
        discussion: """
            Example:
              cvm-clevis luks tree -d disk.img
            """)

    @OptionGroup var options: VolumeOptions

    func run() throws {
        let records = try options.bindings(Defaults())
        Console.answer(options.device)
        for (index, record) in records.enumerated() {
            let lines = PolicyDrawing.hang(self.lines(record), isLast: index == records.count - 1)
            for line in lines { Console.answer(line) }
        }
    }

    private func lines(_ record: BindingRecord) -> [String] {
        let keyslots = record.keyslots.map(String.init).joined(separator: ", ")
        let head = "keyslot \(keyslots.isEmpty ? "none" : keyslots), token \(record.token): \(standing(record))"
        guard let message = record.message else { return [head] }
        return [head] + PolicyDrawing.hang(PolicyDrawing(registry: Pins.registry).lines(message), isLast: true)
    }

    private func standing(_ record: BindingRecord) -> String {
        switch record.standing {
        case .verified: "signed by you for \(record.seal?.name ?? "?")"
        case .unsigned: "not signed"
        case .unchecked: "signed; no owner's key is here to check it with"
        case .bad, .unreadable: record.problem?.description ?? "unreadable"
        }
    }
}
