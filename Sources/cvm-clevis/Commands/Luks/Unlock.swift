// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS
import PinKit

struct Unlock: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Open a volume by its bindings.",
        discussion: """
            The binding must be signed by the owner of this machine's defaults, or by the one whom boot.json names.

            Example:
              cvm-clevis luks unlock -d disk.img -t
            """)

    @OptionGroup var options: VolumeOptions

    @Flag(name: [.customShort("t"), .customLong("test")], help: "Only see whether it opens.")
    var isTest = false

    @Option(name: [.customShort("n"), .customLong("name")], help: "The name below /dev/mapper (default luks-UUID).")
    var name: String?

    @Option(help: "What is trusted, instead of the defaults' owner.")
    var bootConfig: String?

    @Flag(help: "Accept a binding without a signature, as stock clevis makes them.")
    var allowUnsigned = false

    @Option(help: "Give up after this many seconds.")
    var timeout = 30

    func run() throws {
        let uuid = try options.volume.uuid()
        let mode: UnlockRequest.Mode = isTest ? .test : .activate(name: name ?? "luks-\(uuid)")
        let request = UnlockRequest(options.volume, trust: try trust(uuid), mode: mode)
        let unlocker = Unlocker(registry: Pins.registry, deadline: .after(seconds: timeout))
        let opened = try unlocker.unlock(request)
        Console.say("\(options.device): opened by \(opened.policy) (token \(opened.token), keyslot \(opened.keyslot))")
    }

    private func trust(_ uuid: String) throws -> VolumeTrust {
        if let bootConfig { return try BootConfigFile(bootConfig).volume(uuid: uuid).trust }
        let owner = try Defaults().owner()?.publicKey
        guard owner != nil || allowUnsigned else {
            throw Failure(
                "\(options.device): no owner's key is here to check its bindings with",
                hint: "give --boot-config FILE, run 'cvm-clevis init', or accept unsigned bindings with --allow-unsigned")
        }
        return VolumeTrust(owner: owner, unsigned: allowUnsigned)
    }
}
