// SPDX-License-Identifier: Apache-2.0
import PinKit

/// One pin of a policy with its whole configuration, and where it stands.
struct ConfiguredPin {
    let pin: String
    let configuration: JSON
    /// The numbers of the children on the way to it: empty for the policy itself, `1.0` for the first child of the second.
    let place: String

    /// A pin and, where it is a threshold, all below it, in the order in which its message will hold them; each configuration
    /// completed with `binding`'s defaults.
    static func all(_ pin: String, _ configuration: JSON, _ binding: Binding, at place: String = "") -> [ConfiguredPin] {
        let whole = binding.completing(configuration, for: pin)
        let own = ConfiguredPin(pin: pin, configuration: whole, place: place)
        guard pin == "sss" else { return [own] }
        let children = (whole["pins"]?.object?.members ?? []).flatMap { member in
            (member.value.array ?? [member.value]).map { (pin: member.name, configuration: $0) }
        }
        return children.enumerated().reduce(into: [own]) { found, child in
            found += all(child.element.pin, child.element.configuration, binding, at: place.child(child.offset))
        }
    }

    /// The pins that a broker opens after it has judged evidence; their headers are alike.
    static func isAttested(_ pin: String) -> Bool { pin == "snp-attest" || pin == "tdx-attest" }
}

extension String {
    /// The place of child `index` of the pin at this place.
    func child(_ index: Int) -> String { isEmpty ? "\(index)" : "\(self).\(index)" }
}
