// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS
import PinKit

struct Luks: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bind LUKS2 volumes to pins, and open them. Block devices and plain image files alike.",
        subcommands: [Bind.self, Unlock.self, List.self, Tree.self, Unbind.self, Repair.self])
}

/// The volume that a command is about.
struct VolumeOptions: ParsableArguments {
    @Option(name: [.short, .customLong("device")], help: "The LUKS2 volume: a block device or an image file.")
    var device: String

    var volume: Volume { Volume(device) }

    /// Its bindings, their signatures checked with the owner's key where there is one.
    func bindings(_ defaults: Defaults) throws -> [BindingRecord] {
        try volume.bindings(registry: Pins.registry, owner: defaults.owner()?.publicKey)
    }
}
