// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LUKS
import PinKit

struct BootConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boot-config",
        abstract: "What a guest trusts: the boot.json of its measured initrd.",
        subcommands: [Create.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the boot.json for a volume: its UUID, your public key, the pins of its bindings.",
            discussion: """
                Make it before the initrd, and put it there as /etc/cvm-clevis/boot.json. A volume that is not bound yet takes --pin;
                bind it then with luks bind --boot-config, which binds nothing that this file would refuse.

                Examples:
                  cvm-clevis boot-config create -d disk.img --name root --output boot.json
                  cvm-clevis boot-config create -d data.img --name data --output boot.json --keep
                  cvm-clevis boot-config create --uuid 0d6bf2a0-6a53-4b4f-9d0a-0f1b5c2f9e11 --pin snp-attest
                """)

        @Option(name: [.short, .customLong("device")], help: "The LUKS2 volume: a block device or an image file.")
        var device: String?

        @Option(help: "The volume's LUKS UUID, in place of -d, where it is not at hand; takes --pin.")
        var uuid: String?

        @Option(help: "The volume's name: as in the binding, and below /dev/mapper.")
        var name = "root"

        @Option(name: .customLong("pin"), help: "Allow this pin; may be given again (default: those of your bindings).")
        var pins: [String] = []

        @Option(
            name: .customLong("mode"),
            help: ArgumentHelp(
                "Ask a pin in this mode, with these selectors; may be given again (default: those of your bindings).",
                valueName: "pin={…}"))
        var modes: [String] = []

        @Option(help: "What happens when the volume stays closed: poweroff, prompt or shell.")
        var onFailure = BootConfig.OnFailure.poweroff.rawValue

        @Flag(help: "The running system opens it, and not the initrd: a data volume.")
        var late = false

        @Flag(help: "Also accept bindings without a signature, as stock clevis makes them.")
        var allowUnsigned = false

        @Option(name: .shortAndLong, help: "The file to write (default: standard output).")
        var output: String?

        @Flag(help: "Keep the other volumes that the file names; an entry with this name or UUID is replaced.")
        var keep = false

        func validate() throws {
            guard BootConfig.OnFailure(rawValue: onFailure) != nil else {
                throw ValidationError("--on-failure must be poweroff, prompt or shell")
            }
            guard (device == nil) != (uuid == nil) else { throw ValidationError("name the volume by -d or by --uuid") }
            guard uuid == nil || !pins.isEmpty else {
                throw ValidationError("--uuid takes --pin: its bindings are not seen")
            }
            guard !keep || output != nil else {
                throw ValidationError("--keep takes --output, the file whose volumes stay")
            }
        }

        func run() throws {
            let defaults = try Defaults()
            guard let owner = try defaults.owner()?.publicKey else {
                throw Failure("there is no owner's key for a guest to trust", hint: "make one with: cvm-clevis init")
            }
            let policies = try policies(defaults)
            let volume = try BootConfig.Volume(
                name: name, uuid: uuid ?? device.map { try Volume($0).uuid() } ?? "", owner: owner,
                pins: pinsToAllow(policies), modes: modesToAllow(policies), unsigned: allowUnsigned,
                onFailure: BootConfig.OnFailure(rawValue: onFailure) ?? .poweroff, isLate: late)
            let text = try BootConfig(volumes: others(than: volume) + [volume]).json.pretty
            guard let output else { return Console.answer(text) }
            try FileIO.replace(output, Array("\(text)\n".utf8))
            Console.say("\(output): \(name) trusts \(owner.thumbprint) with \(volume.pins.joined(separator: ", "))")
        }

        /// Of the owner's bindings for this volume.
        private func policies(_ defaults: Defaults) throws -> [PolicyOutline] {
            guard let device else { return [] }
            return try Volume(device).bindings(registry: Pins.registry, owner: defaults.owner()?.publicKey)
                .filter { $0.standing == .verified && $0.seal?.name == name }.compactMap(\.policy)
        }

        /// What stays of the file.
        private func others(than volume: BootConfig.Volume) throws -> [BootConfig.Volume] {
            guard keep, let output, FileIO.exists(output) else { return [] }
            return try BootConfigFile(output).configuration.volumes
                .filter { $0.name != volume.name && $0.uuid != volume.uuid }
        }

        private func modesToAllow(_ policies: [PolicyOutline]) throws -> PinModes {
            guard !modes.isEmpty else { return PinModes(of: policies) }
            var listed: JSONObject = [:]
            for text in modes {
                let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
                guard parts.count == 2 else { throw Failure("--mode \(text): expected PIN={\"mode\":…}") }
                listed[parts[0]] = try .array((listed[parts[0]]?.array ?? []) + [Input.configuration(parts[1])])
            }
            return try PinModes(listed)
        }

        private func pinsToAllow(_ policies: [PolicyOutline]) throws -> [String] {
            guard pins.isEmpty else { return pins }
            let found = Set(policies.flatMap(\.pins)).sorted()
            guard !found.isEmpty else {
                throw Failure(
                    "\(device ?? "it") has no binding of yours for \(name), so it is not known which pins to allow",
                    hint: "bind it first, or name them with --pin")
            }
            return found
        }
    }
}

/// A boot.json on this machine.
struct BootConfigFile {
    let path: String
    let configuration: BootConfig

    init(_ path: String) throws {
        self.path = path
        do {
            configuration = try BootConfig(parsing: FileIO.read(path, limit: BootConfig.maximumLength))
        } catch let error as LUKSError {
            throw Failure("\(path): \(error)")
        }
    }

    /// The entry for the volume with this UUID.
    func volume(uuid: String) throws -> BootConfig.Volume {
        guard let volume = configuration.volumes.first(where: { $0.uuid == uuid }) else {
            throw Failure("\(path) names no volume with UUID \(uuid)", hint: "make one with: cvm-clevis boot-config create")
        }
        return volume
    }
}

extension BootConfig.Volume {
    /// Throws where a guest with this entry of the file at `path` would not accept what is about to be bound.
    func requireAcceptance(of binding: Binding, _ name: String, _ pins: Set<String>, _ path: String) throws {
        guard self.name == name else { throw Failure("\(path) calls this volume \(self.name), not \(name)") }
        guard owner == binding.owner?.publicKey || (unsigned && binding.owner == nil) else {
            throw Failure("\(path) trusts another owner for \(name)")
        }
        let unwanted = pins.subtracting(self.pins).sorted()
        guard unwanted.isEmpty else {
            throw Failure("\(path) does not allow \(unwanted.joined(separator: ", ")) for \(name)")
        }
    }
}
