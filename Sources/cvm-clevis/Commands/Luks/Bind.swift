// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import LUKS
import PinKit

struct Bind: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Add a keyslot that a policy opens, with its policy in a token, signed by the owner.",
        discussion: """
            What opened the volume before still opens it. The pin may also be given clevis' way: bind -d DEV PIN CONFIG.
            A tang server that the configuration does not vouch for (thp, adv) is asked about on the terminal, or trusted with -y.

            Examples:
              cvm-clevis luks bind -d disk.img -p snp-attest
              cvm-clevis luks bind -d disk.img -p sss -c @threshold.json
              cvm-clevis luks bind -d disk.img -p snp-attest --boot-config boot.json
            """)

    @OptionGroup var options: VolumeOptions

    @Option(name: [.short, .customLong("pin")], help: "The pin: \(Pins.registry.names.joined(separator: ", ")).")
    var pin: String?

    @Option(
        name: [.short, .customLong("config")], help: "Its configuration: JSON, or @FILE. The defaults fill in the rest.")
    var config: String?

    @Argument(help: ArgumentHelp("Pin and configuration, clevis' way.", valueName: "pin config"))
    var words: [String] = []

    @Option(name: .short, help: "The keyslot to use, which must be free (default: the first that is).")
    var slot: Int?

    @Option(name: .short, help: "The number of the token to write, which must be free (default: the first that is).")
    var token: Int?

    @Option(
        name: [.customShort("k"), .customLong("key-file")],
        help: "A file whose whole content opens the volume now; '-' or nothing: the first line of standard input.")
    var keyFile: String?

    @Option(
        name: .short, help: "An existing token that opens the volume now: of a binding, or of a passphrase in the keyring.")
    var existingToken: Int?

    @Option(help: "The volume's name in the guest's boot.json.")
    var name = "root"

    @Option(help: "The guest's boot.json: nothing is bound that it would refuse (UUID, name, owner, pins, modes).")
    var bootConfig: String?

    @Flag(name: .short, help: ArgumentHelp("Taken for clevis' sake: there is nothing to ask.", visibility: .hidden))
    var force = false

    @Flag(name: .short, help: "Trust the keys of tang servers without a question.")
    var yes = false

    @Flag(help: "Accept a policy whose measurement leaves the initrd open to the host.")
    var dangerUnmeasuredBoot = false

    @Flag(help: "Answer with JSON.")
    var json = false

    mutating func validate() throws {
        guard pin == nil ? words.count == 2 : words.isEmpty else {
            throw ValidationError("give the pin once: -p PIN [-c CONFIG], or PIN CONFIG")
        }
        for (option, number) in [("-s", slot), ("-t", token), ("-e", existingToken)] {
            guard number.map((0..<32).contains) ?? true else { throw ValidationError("\(option) must be from 0 to 31") }
        }
    }

    func run() throws {
        let registry = Pins.registry(allowingUnmeasuredBoot: dangerUnmeasuredBoot, trustingTang: yes)
        let defaults = try Defaults()
        let binding = try Pins.binding(defaults, registry)
        let pinName = pin ?? words[0]
        let configuration = try Input.configuration(config ?? words.dropFirst().first)
        let encryptor = try Pins.encryptor(named: pinName, for: configuration, in: binding)
        let uuid = try options.volume.uuid()
        let parts = ConfiguredPin.all(pinName, configuration, binding)
        let volume = try bootConfig.map { try BootConfigFile($0).volume(uuid: uuid) }
        try volume?.requireAcceptance(of: binding, name, Set(parts.map(\.pin)), bootConfig ?? "")
        let new = NewBinding(
            encryptor: encryptor, binding: binding, name: name, instance: Bind.instance(parts),
            placement: NewBinding.Placement(keyslot: slot, token: token), config: KeptConfiguration(of: parts).json,
            demands: volume?.trust)
        let bound = try bind(new, uuid)
        if binding.owner != nil { try Ledger(defaults).remember(bound, in: options.volume) }
        report(bound, pinName, binding)
    }

    private func bind(_ new: NewBinding, _ uuid: String) throws -> BoundVolume {
        guard let existingToken else {
            let prompt = "Passphrase of \(options.device) (\(uuid)): "
            return try options.volume.bind(new, passphrase: Input.passphrase(keyFile: keyFile, prompt: prompt))
        }
        guard keyFile == nil || keyFile == "-" else { throw Failure("-e and -k FILE both say what opens the volume") }
        guard try options.bindings(Defaults()).contains(where: { $0.token == existingToken }) else {
            return try options.volume.bind(new, openedBy: existingToken)
        }
        let owner = new.binding.owner?.publicKey
        let passphrase = try options.volume.passphrase(
            of: .token(existingToken), trust: VolumeTrust(owner: owner, unsigned: owner == nil),
            registry: new.binding.registry, deadline: .after(seconds: Patience.standard))
        return try options.volume.bind(new, passphrase: passphrase)
    }

    /// The one VM that the policies name, if they do.
    static func instance(_ parts: [ConfiguredPin]) -> String? {
        // In another mode than the usual one defaults bring the policy in, and nobody judges by it.
        instance(ofPolicies: parts.filter { $0.configuration["mode"] == nil }.compactMap { $0.configuration["policy"] })
    }

    /// The HOST_DATA or MRCONFIGID that a VM was launched with.
    static func instance(ofPolicies policies: [JSON]) -> String? {
        let named = Set(policies.compactMap { $0["host_data"]?.string ?? $0["mrconfigid"]?.string })
        return named.count == 1 ? named.first : nil
    }

    private func report(_ bound: BoundVolume, _ pin: String, _ binding: Binding) {
        if binding.owner == nil {
            Console.warn("this binding is not signed: a guest opens it only where its boot.json allows unsigned ones")
        }
        guard json else {
            let proof = bound.wasOpened ? "opened once to prove it" : "to be opened by the guest only"
            return Console.say("\(options.device): keyslot \(bound.keyslot), token \(bound.token) bound to \(pin); \(proof)")
        }
        let answer: JSON = [
            "device": .string(options.device), "uuid": .string(bound.uuid), "keyslot": .integer(Int64(bound.keyslot)),
            "token": .integer(Int64(bound.token)), "id": .string(binding.id), "opened": .bool(bound.wasOpened),
        ]
        Console.answer(answer.canonical)
    }
}
