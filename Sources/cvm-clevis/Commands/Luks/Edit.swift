// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS
import PinKit

struct Edit: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Change the configuration of a binding: a new one takes its place.",
        discussion: """
            Without -c the configuration is opened in $EDITOR, and asked about. At no moment do neither the old nor the new binding
            open the volume; interrupted, 'luks repair' leaves one of them. The binding opens the volume for its own change; where
            it cannot, a passphrase is asked for. Standard output gets the commands that revoke the old binding at its broker.
            A tang server is trusted as before where its url stays; a new one is asked about on the terminal, or trusted with -y.

            Examples:
              cvm-clevis luks edit -d disk.img -s 1
              cvm-clevis luks edit -d disk.img -s 1 -c '{"url":"http://tang.example"}'
            """)

    @OptionGroup var options: VolumeOptions

    @Option(name: .short, help: "The keyslot of the binding.")
    var slot: Int

    @Option(
        name: [.short, .customLong("config")], help: "The new configuration: JSON, or @FILE. The defaults fill in the rest.")
    var config: String?

    @Flag(name: .short, help: "Go on although the configuration is the same.")
    var force = false

    @Flag(name: .short, help: "Trust the keys of tang servers without a question.")
    var yes = false

    @OptionGroup var opening: OpeningOptions

    @Option(help: "The volume's name in the guest's boot.json, where the binding has none yet.")
    var name = "root"

    @Flag(help: "Accept a policy whose measurement leaves the initrd open to the host.")
    var dangerUnmeasuredBoot = false

    @Flag(help: "Answer with JSON.")
    var json = false

    func run() throws {
        var defaults = try Defaults()
        let rebinding = try Rebinding(options.volume, slot, defaults)
        let old = try? rebinding.configuration()
        let new = try changed(rebinding, from: old)
        guard force || new != old else { throw Failure("no changes; nothing was done", hint: "-f goes on all the same") }
        // In the editor stood the whole of it: what was taken out there is not to come back.
        if config == nil { defaults.pins = [:] }
        guard try config != nil || confirmed(rebinding.pin, new) else { return Console.say("nothing was changed") }
        let trust = TangTrust.decision(yes, as: rebinding.leaves())
        let registry = Pins.registry(allowingUnmeasuredBoot: dangerUnmeasuredBoot, trustTang: trust)
        let binding = try Pins.binding(defaults, registry)
        let passphrase = try opening.passphrase(rebinding)
        try rebinding.replace(
            with: new, in: binding, isSealed: true, name: name, opening: passphrase, json: json)
    }

    private func changed(_ rebinding: Rebinding, from old: JSON?) throws -> JSON {
        if let config { return try Input.configuration(config) }
        if rebinding.record.standing != .verified {
            Console.warn("the binding is not signed: read every word of it, since anybody may have written it")
        }
        // Once more, for the reason why it is not known.
        return try Editor.edit(old ?? rebinding.configuration())
    }

    private func confirmed(_ pin: String, _ new: JSON) throws -> Bool {
        Console.say("Pin: \(pin)\nNew config:\n\(new.pretty)")
        guard let answer = Terminal.confirms("Would you like to proceed with the updated configuration? [yN] ") else {
            throw Failure("there is no terminal to ask on", hint: "give the new configuration with -c")
        }
        return answer
    }
}

/// What opens the volume for a change.
struct OpeningOptions: ParsableArguments {
    @Option(
        name: [.customShort("k"), .customLong("key-file")],
        help: ArgumentHelp(
            "A file whose whole content opens the volume; '-': the first line of standard input (default: the binding itself, "
                + "and where it cannot open here, the first line of standard input)."))
    var keyFile: String?

    @OptionGroup var patience: Patience

    func passphrase(_ rebinding: Rebinding) throws -> SecretBytes {
        var isProven = false
        return try passphrase(rebinding, isProven: &isProven)
    }

    /// `isProven` becomes true where the binding's own configuration is beyond doubt.
    func passphrase(_ rebinding: Rebinding, isProven: inout Bool) throws -> SecretBytes {
        isProven = rebinding.isProven(byOpening: false)
        if keyFile == nil {
            var reason = ""
            if let own = rebinding.passphrase(patience, reason: &reason) {
                isProven = rebinding.isProven(byOpening: true)
                return own
            }
            Console.say("the binding does not open the volume here: \(reason)")
        }
        return try Input.passphrase(keyFile: keyFile, prompt: "Passphrase of \(rebinding.volume.path): ")
    }
}
