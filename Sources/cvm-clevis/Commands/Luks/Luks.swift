// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS
import PinKit

struct Luks: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bind LUKS2 volumes to pins, and open them. Block devices and plain image files alike.",
        subcommands: [
            Bind.self, Unlock.self, Pass.self, List.self, Tree.self, Check.self, Report.self, Edit.self, Regen.self,
            Sign.self, Unbind.self, Repair.self,
        ])
}

/// The volume that a command is about.
struct VolumeOptions: ParsableArguments {
    @Option(name: [.short, .customLong("device")], help: "The LUKS2 volume: a block device or an image file.")
    var device: String

    var volume: Volume { Volume(device) }

    func bindings(_ defaults: Defaults) throws -> [BindingRecord] { try volume.bindings(defaults) }

    /// When to give up on them.
    func deadline(_ patience: Patience) throws -> Deadline {
        let messages = try volume.bindings(registry: Pins.registry, owner: nil).compactMap(\.message)
        return Pins.deadline(seconds: patience.timeout, for: messages)
    }
}

extension Volume {
    /// Its bindings, their signatures checked with the owner's key where there is one.
    func bindings(_ defaults: Defaults) throws -> [BindingRecord] {
        try bindings(registry: Pins.registry, owner: defaults.owner()?.publicKey)
    }
}

/// Whose bindings are opened.
struct TrustOptions: ParsableArguments {
    @Option(help: "What is trusted, instead of the defaults' owner.")
    var bootConfig: String?

    @Flag(help: "Accept a binding without a signature, as stock clevis makes them.")
    var allowUnsigned = false

    /// What is demanded of `volume`: by boot.json, else by the owner whose key is here.
    func trust(in volume: Volume) throws -> VolumeTrust {
        if let bootConfig { return try BootConfigFile(bootConfig).volume(uuid: volume.uuid()).trust }
        let owner = try Defaults().owner()?.publicKey
        guard owner != nil || allowUnsigned else {
            throw Failure(
                "\(volume.path): no owner's key is here to check its bindings with",
                hint: "give --boot-config FILE, run 'cvm-clevis init', or accept unsigned bindings with --allow-unsigned")
        }
        return VolumeTrust(owner: owner, unsigned: allowUnsigned)
    }
}
