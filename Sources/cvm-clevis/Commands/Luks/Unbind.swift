// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import Glibc
import LUKS
import PinKit

struct Unbind: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove a binding: its keyslot and its token.",
        discussion: """
            The last keyslot of a volume stays, whatever is asked.

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
        guard isatty(0) == 1 else {
            throw ValidationError("removing a binding asks for a yes on the terminal; give -f where there is none")
        }
        try FileIO.write(2, "Remove the binding of keyslot \(slot) from \(options.device)? [yN] ")
        let answer = try FileIO.readSecret(0, limit: 16, line: true, name: "terminal")
        return ["y", "Y", "yes"].contains { answer.equals(SecretBytes(copyingPublic: Array($0.utf8))) }
    }
}
