// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS

struct Repair: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring a volume to where it was before an interrupted change, or after it.",
        discussion: """
            What was not finished is removed, and never signed: bind again. Of an edit or a regen one binding is left, the old or
            the new. Other bindings are not touched.

            Example:
              cvm-clevis luks repair -d disk.img
            """)

    @OptionGroup var options: VolumeOptions

    func run() throws {
        let left = try options.volume.repair()
        guard !left.isEmpty else { return Console.say("\(options.device): nothing was left behind") }
        for binding in left {
            let keyslots = binding.keyslots.map { ", keyslot \($0)" }.joined()
            Console.say("\(options.device): removed token \(binding.token)\(keyslots): what an interrupted change left")
        }
    }
}
