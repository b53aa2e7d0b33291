// SPDX-License-Identifier: Apache-2.0
import Glibc
import PinKit
import PinSet

/// The pins of this program and the context they are used in.
enum Pins {
    static let registry = registry(allowingUnmeasuredBoot: false)

    /// The same pins; `allowingUnmeasuredBoot` accepts policies that let the host choose the initrd.
    static func registry(allowingUnmeasuredBoot: Bool) -> PinRegistry {
        PinSet.standard
    }

    static func readPolicy(_ policy: JSON) throws(JSONError) {}

    static func binding(_ defaults: Defaults, _ registry: PinRegistry = Pins.registry) throws -> Binding {
        try Binding(
            issuedAt: Int64(time(nil)), owner: defaults.owner(), registry: registry, defaults: defaults.pins)
    }

    /// What to run when a pin's configuration lacks something that `init` remembers.
    static func hint(for error: any Error, _ binding: Binding) -> String? {
        guard let error = error as? PinError, error.code == .malformed, error.path.hasSuffix("snp-attest") else {
            return nil
        }
        if binding.owner == nil || binding.defaults["snp-attest"]?["broker"] == nil {
            return "make a key and name the broker with: cvm-clevis init --broker public.json --policy policy.json"
        }
        return "say what a guest must be with: cvm-clevis init --policy policy.json (docs/spec/policy.md)"
    }
}
