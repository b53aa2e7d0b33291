// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LUKS
import PinKit

struct Pass: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the passphrase of a binding, once it has opened its keyslot.",
        discussion: """
            Standard output gets its exact bytes, without a newline.

            Example:
              cvm-clevis luks pass -d disk.img -s 1 | cryptsetup open -d - disk.img root
            """)

    @OptionGroup var options: VolumeOptions

    @Option(name: .short, help: "The keyslot of the binding.")
    var slot: Int

    @OptionGroup var trust: TrustOptions

    @OptionGroup var patience: Patience

    func run() throws {
        let passphrase = try options.volume.passphrase(
            of: .keyslot(slot), trust: trust.trust(in: options.volume), registry: Pins.registry,
            deadline: options.deadline(patience))
        try FileIO.write(1, passphrase, name: "standard output")
    }
}
