// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BrokerProtocol
import FileIO
import PinKit

struct Init: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make the owner's key, and remember the broker and the policy that bindings use.",
        discussion: """
            The key signs every binding; guests trust its public half, which 'boot-config create' puts into their initrd.
            An existing key is kept. What is not given stays as it was.

            Example:
              cvm-clevis-broker init /var/lib/cvm-clevis-broker         # on the broker: writes public.json
              cvm-clevis init --broker public.json --policy policy.json
            """)

    @Option(help: "The broker's public.json: its keys and address.")
    var broker: String?

    @Option(help: "The broker's address, where it differs from the one in public.json.")
    var url: String?

    @Option(help: "What a SEV-SNP guest must be, as JSON: see docs/spec/policy.md.")
    var policy: String?

    @Option(help: "What a TDX guest must be, as JSON: see docs/spec/tdx-policy.md.")
    var tdxPolicy: String?

    @Option(help: "Where to keep key and defaults.")
    var directory: String = Paths.configuration

    func run() throws {
        try FileIO.makeDirectory(directory, mode: 0o700)
        var defaults = try Defaults(in: directory)
        try remember(&defaults)
        let owner = try defaults.owner() ?? defaults.makeOwner()
        try FileIO.replace(defaults.publicKeyPath, Array("\(owner.publicKey.jwk.canonical)\n".utf8))
        try defaults.write()
        Console.answer("owner \(owner.publicKey.thumbprint)")
        Console.say("key:      \(defaults.ownerPath) (keep it; a copy belongs in a safe)")
        Console.say("defaults: \(defaults.path)")
        Console.say("next:     cvm-clevis-broker owner add DIRECTORY NAME \(defaults.publicKeyPath)")
    }

    private func remember(_ defaults: inout Defaults) throws {
        try remember(policy, for: .snp, in: &defaults)
        try remember(tdxPolicy, for: .tdx, in: &defaults)
    }

    private func remember(_ policy: String?, for platform: Platform, in defaults: inout Defaults) throws {
        var attested = defaults.pins[platform.pin]?.object ?? [:]
        if let broker { try remember(broker: Input.json(broker), in: &attested, from: broker) }
        if let url { attested["url"] = .string(url) }
        if let policy { attested["policy"] = try checked(policy: Input.json(policy), of: platform, from: policy) }
        if !attested.isEmpty { defaults.pins[platform.pin] = .object(attested) }
    }

    private func remember(broker: JSON, in attested: inout JSONObject, from path: String) throws {
        do {
            var reader = try JSONReader(broker)
            _ = try reader.integer("version", in: 1...1)
            attested["url"] = .string(try reader.string("url"))
            attested["broker"] = try PublicKey(jwk: reader.required("broker"), at: "broker").jwk
            attested["tls"] = try reader.optionalString("tls").map { .string($0) }
            try reader.finish()
        } catch {
            throw Failure("\(path) is not a broker's public.json: \(error)")
        }
    }

    private func checked(policy: JSON, of platform: Platform, from path: String) throws -> JSON {
        do {
            _ = try Pins.readPolicy(policy, of: platform)
            return policy
        } catch {
            let document = platform == .snp ? "policy.md" : "tdx-policy.md"
            throw Failure("\(path) is not a policy: \(error)", hint: "docs/spec/\(document) has the members and an example")
        }
    }
}
