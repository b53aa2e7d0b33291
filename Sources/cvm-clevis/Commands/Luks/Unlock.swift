// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS
import PinKit

struct Unlock: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Open a volume by its bindings.",
        discussion: """
            The binding must be signed by the owner of this machine's defaults, or by the one whom boot.json names.

            Examples:
              cvm-clevis luks unlock -d disk.img --test
              cvm-clevis luks unlock -d disk.img -t 1
            """)

    @OptionGroup var options: VolumeOptions

    @Flag(name: .customLong("test"), help: "Only see whether it opens.")
    var isTest = false

    @Option(name: .customShort("t"), help: "Only see whether the binding of this keyslot opens it.")
    var slot: Int?

    @Option(name: [.customShort("n"), .customLong("name")], help: "The name below /dev/mapper (default luks-UUID).")
    var name: String?

    @OptionGroup var trust: TrustOptions

    @OptionGroup var patience: Patience

    func run() throws {
        if let slot { return try test(slot) }
        let uuid = try options.volume.uuid()
        let mode: UnlockRequest.Mode = isTest ? .test : .activate(name: name ?? "luks-\(uuid)")
        let request = UnlockRequest(options.volume, trust: try trust.trust(in: options.volume), mode: mode)
        let opened = try Unlocker(registry: Pins.registry, deadline: options.deadline(patience)).unlock(request)
        Console.say("\(options.device): opened by \(opened.policy) (token \(opened.token), keyslot \(opened.keyslot))")
        for leftover in opened.leftovers { Console.warn("\(leftover)") }
    }

    private func test(_ slot: Int) throws {
        _ = try options.volume.passphrase(
            of: .keyslot(slot), trust: trust.trust(in: options.volume), registry: Pins.registry,
            deadline: options.deadline(patience))
        Console.say("\(options.device): its binding opens keyslot \(slot)")
    }
}
