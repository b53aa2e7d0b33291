// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS
import PinKit

struct Unbind: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove a binding: its keyslot and its token.",
        discussion: """
            The last keyslot of a volume stays, whatever is asked. The answer no is no failure.

            Example:
              cvm-clevis luks unbind -d disk.img -s 1
            """)

    @OptionGroup var options: VolumeOptions

    @Option(name: .short, help: "The keyslot of the binding.")
    var slot: Int

    @Flag(name: .short, help: "Do not ask.")
    var force = false

    func run() throws {
        guard try force || confirmed() else { return Console.say("nothing was changed") }
        try options.volume.unbind(.keyslot(slot))
        Console.say("\(options.device): the binding of keyslot \(slot) is removed")
    }

    private func confirmed() throws -> Bool {
        let question = "Remove the binding of keyslot \(slot) from \(options.device)? This cannot be undone. [yN] "
        guard let answer = Terminal.confirms(question) else {
            throw Failure("removing a binding needs a yes, and there is no terminal to ask on", hint: "give -f")
        }
        return answer
    }
}
