// SPDX-License-Identifier: Apache-2.0
import Attestation
import BrokerProtocol
import ExternalPin
import Glibc
import PinKit
import PinSet
import TPM2Pin
import TangPin

/// The pins of this program and the context they are used in.
enum Pins {
    static let registry = registry()

    static let tpm2 = TPM2Pin(tcti: Paths.tpm, signatureFiles: Paths.pcrSignatures, askPIN: Terminal.ask)

    /// The same pins; `allowingUnmeasuredBoot` accepts policies that let the host choose the initrd, `trustingTang` the keys
    /// of every tang server without a question.
    static func registry(allowingUnmeasuredBoot: Bool = false, trustingTang: Bool = false) -> PinRegistry {
        registry(allowingUnmeasuredBoot: allowingUnmeasuredBoot, trustTang: TangTrust.decision(trustingTang))
    }

    static func registry(
        allowingUnmeasuredBoot: Bool, trustTang: @escaping TangPin.TrustDecision
    ) -> PinRegistry {
        PinSet.registry(
            tpm2: tpm2, trustTang: trustTang, finding: { Paths.externalPins.pin(named: $0) }
        ) { (json, platform) throws(JSONError) in
            try policyToBind(json, of: platform, allowingUnmeasuredBoot: allowingUnmeasuredBoot)
        }
    }

    /// A policy as an envelope carries it. One that lets the host choose the initrd is refused unless allowed.
    static func policyToBind(
        _ json: JSON, of platform: Platform, allowingUnmeasuredBoot: Bool
    ) throws(JSONError) -> JSON {
        let (policy, coversInitrd) = try readPolicy(json, of: platform)
        guard coversInitrd || allowingUnmeasuredBoot else {
            throw JSONError(
                place: "covers",
                problem:
                    "leaves the initrd unmeasured, so the host could boot its own; --danger-unmeasured-boot accepts that"
            )
        }
        return policy
    }

    /// What a program that binds wants of a policy: its text as an envelope carries it, and what the host cannot choose.
    typealias ReadPolicy = (json: JSON, coversInitrd: Bool)

    /// A policy as an owner writes it. It must say what the measurement covers, though in an envelope silence means all of it.
    static func readPolicy(_ json: JSON, of platform: Platform) throws(JSONError) -> ReadPolicy {
        let policy = try read(json, of: platform)
        guard json["covers"] != nil else {
            throw JSONError(
                place: "covers",
                problem: "is missing: say what the measurement covers, out of firmware, kernel, initrd, cmdline")
        }
        return policy
    }

    /// What nobody would bind today in a policy as it stands in a header; nil where nothing is wrong.
    @Sendable static func problem(_ pin: String, _ policy: JSON) -> String? {
        guard let platform = Platform.allCases.first(where: { $0.pin == pin }) else { return nil }
        do {
            let covers = try read(policy, of: platform).coversInitrd
            return covers ? nil : "it leaves the initrd unmeasured, so the host could boot its own"
        } catch {
            return "\(error)"
        }
    }

    private static func read(_ json: JSON, of platform: Platform) throws(JSONError) -> ReadPolicy {
        switch platform {
        case .snp:
            let policy = try SNPPolicy(json: json, at: "")
            return (policy.json, policy.coversInitrd)
        case .tdx:
            let policy = try TDXPolicy(json: json, at: "")
            return (policy.json, policy.coversInitrd)
        }
    }

    /// What encrypts under the pin `name`. A name that no pin has is wrong usage, as with clevis: status 2.
    static func encryptor(named name: String, for configuration: JSON, in binding: Binding) throws -> any Encryptor {
        do {
            _ = try binding.registry.pin(named: name)
        } catch {
            throw Failure("\(error.within(name))", status: 2)
        }
        do {
            return try binding.registry.encryptor(named: name, for: configuration, in: binding)
        } catch {
            throw Failure("\(error)", hint: hint(for: error, binding))
        }
    }

    static func binding(_ defaults: Defaults, _ registry: PinRegistry = Pins.registry) throws -> Binding {
        try Binding(
            issuedAt: Int64(time(nil)), owner: defaults.owner(), registry: registry, defaults: defaults.pins)
    }

    /// When to give up on `messages`: whoever has to type a PIN for one gets a minute more.
    static func deadline(seconds: Int, for messages: [JWE]) -> Deadline {
        .after(seconds: seconds + (messages.contains(where: asksForPIN) ? 60 : 0))
    }

    private static func asksForPIN(_ message: JWE) -> Bool {
        let pin = try? registry.pin(of: message)
        if let pin = pin as? any PolicyPin, let threshold = try? pin.threshold(of: message) {
            return threshold.children.contains(where: asksForPIN)
        }
        return message.pin == "tpm2" && message.parameters?["pin"] == true
    }

    /// What to run when a pin's configuration lacks something that `init` remembers.
    private static func hint(for error: PinError, _ binding: Binding) -> String? {
        guard error.code == .malformed, !error.step.hasPrefix("unknown"),
            let platform = Platform.allCases.first(where: { error.path.hasSuffix($0.pin) })
        else { return nil }
        let option = platform == .snp ? "--policy" : "--tdx-policy"
        if binding.owner == nil || binding.defaults[platform.pin]?["broker"] == nil {
            return "make a key and name the broker with: cvm-clevis init --broker public.json \(option) policy.json"
        }
        let document = platform == .snp ? "policy.md" : "tdx-policy.md"
        return "say what a guest must be with: cvm-clevis init \(option) policy.json (docs/spec/\(document))"
    }
}
