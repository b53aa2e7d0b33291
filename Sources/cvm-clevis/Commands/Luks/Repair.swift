// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS

struct Repair: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Remove what an interrupted bind or unbind left behind.",
        discussion: """
            A finished binding is never touched. Nothing is finished either: bind again.

            Example:
              cvm-clevis luks repair -d disk.img
            """)

    @OptionGroup var options: VolumeOptions

    func run() throws {
        let removed = try options.volume.repair()
        guard !removed.isEmpty else { return Console.say("\(options.device): nothing was left behind") }
        for binding in removed {
            let keyslots = binding.keyslots.map { ", keyslot \($0)" }.joined()
            Console.say("\(options.device): removed token \(binding.token)\(keyslots): a binding that was not finished")
        }
    }
}
