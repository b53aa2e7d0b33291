// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS
import PinKit

struct Regen: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a binding anew, with the same policy: new keys, the PCRs' values of now.",
        discussion: """
            Nothing of the policy is lost: a pin that cannot be made again is an error. At no moment do neither the old nor the new
            binding open the volume; interrupted, 'luks repair' leaves one of them. The binding opens the volume for its own change;
            where it cannot, a passphrase is asked for. Standard output gets the commands that revoke the old binding at its broker.
            A tang server that has rotated its keys is trusted where an old key of it has signed the new ones.

            Example:
              cvm-clevis luks regen -d disk.img -s 1 -q
            """)

    @OptionGroup var options: VolumeOptions

    @Option(name: .short, help: "The keyslot of the binding.")
    var slot: Int

    @Flag(name: .short, help: "Do not ask.")
    var quiet = false

    @Flag(name: .short, help: "Trust the keys of tang servers without a question.")
    var yes = false

    @OptionGroup var opening: OpeningOptions

    @Flag(help: "Answer with JSON.")
    var json = false

    func run() throws {
        var defaults = try Defaults()
        let rebinding = try Rebinding(options.volume, slot, defaults)
        let configuration = try rebinding.configuration()
        Console.say("Regenerating binding (device \(options.device), slot \(slot)):")
        Console.say("Pin: \(rebinding.pin), Config: '\(configuration.compact)'")
        var isProven = false
        let passphrase = try opening.passphrase(rebinding, isProven: &isProven)
        guard try confirmed(isProven) else { return Console.say("nothing was changed") }
        // The same policy, so nothing of today's defaults, and what its owner once accepted is accepted.
        defaults.pins = [:]
        let trust = TangTrust.decision(yes, as: rebinding.leaves())
        let binding = try Pins.binding(defaults, Pins.registry(allowingUnmeasuredBoot: true, trustTang: trust))
        try rebinding.replace(
            with: configuration, in: binding, isSealed: rebinding.record.seal != nil, name: "root", opening: passphrase,
            json: json)
    }

    private func confirmed(_ isProven: Bool) throws -> Bool {
        guard isProven else { return try vouched() }
        guard !quiet else { return true }
        guard let answer = Terminal.confirms("Do you want to proceed? [yN] ") else {
            throw Failure("there is no terminal to ask on", hint: "-q goes on without a question")
        }
        return answer
    }

    /// An unsigned binding that does not open may be anybody's: whoever can write to the disk can put his own in its place, and
    /// would get a passphrase of this volume under his own policy.
    private func vouched() throws -> Bool {
        let question = "Nothing proves that this is the configuration you bound. Is it, to the last word? [yN] "
        guard !quiet, let answer = Terminal.confirms(question) else {
            throw Failure(
                "\(options.device): the binding is not signed, and nothing proves that its configuration is yours",
                hint: "give it yourself: cvm-clevis luks edit -c, or answer for it without -q")
        }
        return answer
    }
}
