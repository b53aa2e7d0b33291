// SPDX-License-Identifier: Apache-2.0
import PinKit

/// A binding's pin and configuration as `clevis luks list` writes them, byte for byte for the pins that clevis lists; scripts
/// cut these lines up. What clevis leaves out of a threshold (`null`, a second `sss`, pins it does not know) is listed, behind
/// those that it has.
struct ListedConfiguration {
    let registry: PinRegistry

    /// `sss '{"t":2,"pins":{…}}'`
    func text(_ message: JWE) -> String {
        guard let name = message.pin, registry.names.contains(name) else { return "unknown pin '\(message.pin ?? "")'" }
        return "\(name) '\(members(of: message).compact)'"
    }

    private func members(of message: JWE) -> JSON {
        let name = message.pin ?? ""
        let pin = try? registry.pin(named: name)
        if let policy = pin as? any PolicyPin, let threshold = try? policy.threshold(of: message) {
            return ["t": .integer(Int64(threshold.needed)), "pins": pins(threshold.children)]
        }
        var members: JSONObject = [:]
        for member in ListedConfiguration.order[name] ?? [] {
            members[member] = (message.parameters ?? message.header["clevis"])?[member]
        }
        if name == "null", message.parameters?["jwk"] == nil { members["fail"] = true }
        return .object(members)
    }

    private func pins(_ children: [JWE]) -> JSON {
        var pins: JSONObject = [:]
        // In this order, whatever the message's.
        let known = ["tang", "tpm2", "sss"]
        let others = children.compactMap(\.pin).filter { !known.contains($0) }
        for name in known + others where pins[name] == nil {
            let listed = children.filter { $0.pin == name }.map(members)
            guard !listed.isEmpty else { continue }
            pins[name] = name == "sss" && listed.count == 1 ? listed[0] : .array(listed)
        }
        return .object(pins)
    }

    /// Members of the header that are shown, in this order.
    private static let order: [String: [String]] = [
        "tang": ["url"],
        "tpm2": ["hash", "key", "pcr_bank", "pcr_ids", "pubkey", "pubkey_pcrs", "pin", "parent"],
        "snp-attest": ["mode", "url", "resource", "policy"],
        "tdx-attest": ["mode", "url", "resource", "policy"],
        "trustee": ["servers", "path"],
        "file": ["name"],
        "sev-secret": ["guid", "mode"],
    ]
}
