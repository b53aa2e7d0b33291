// SPDX-License-Identifier: Apache-2.0
import LUKS
import PinKit

/// The configuration that would make a message's policy again: from its headers, from what the token kept, and from the
/// brokers' keys that the owner has. A pin about which not everything is known is an error, never left out.
struct RestoredConfiguration {
    let registry: PinRegistry
    let kept: KeptConfiguration
    /// Beside those that were kept.
    let knownBrokers: [PublicKey]

    /// Of `record`; what was not kept is looked for in the owner's defaults.
    init(_ record: BindingRecord, _ defaults: Defaults) throws {
        registry = Pins.registry
        kept = try KeptConfiguration(record.config)
        knownBrokers = defaults.pins.members.compactMap { pin in
            pin.value["broker"].flatMap { try? PublicKey(jwk: $0) }
        }
    }

    func configuration(of message: JWE) throws -> JSON { try configuration(of: message, at: "", depth: 1) }

    private func configuration(of message: JWE, at place: String, depth: Int) throws -> JSON {
        let name = message.pin ?? ""
        let pin: any Pin
        do {
            pin = try registry.pin(of: message)
        } catch {
            throw unknown(name, place, error.description)
        }
        if let policy = pin as? any PolicyPin { return try configuration(of: message, policy, at: place, depth: depth) }
        var members = try leaf(message, name, at: place)
        for member in kept.members[place]?.object?.members ?? [] where members[member.name] == nil {
            members[member.name] = member.value
        }
        return .object(members)
    }

    private func configuration(of message: JWE, _ policy: any PolicyPin, at place: String, depth: Int) throws -> JSON {
        guard depth < PolicyWalk.maximumDepth else {
            throw Failure("the policy is nested more than \(PolicyWalk.maximumDepth) levels deep")
        }
        let threshold = try policy.threshold(of: message)
        var pins: JSONObject = [:]
        for (index, child) in threshold.children.enumerated() {
            let configuration = try configuration(of: child, at: place.child(index), depth: depth + 1)
            let name = child.pin ?? ""
            pins[name] = .array((pins[name]?.array ?? []) + [configuration])
        }
        return ["t": .integer(Int64(threshold.needed)), "pins": .object(pins)]
    }

    private func leaf(_ message: JWE, _ name: String, at place: String) throws -> JSONObject {
        let header = message.parameters?.object ?? [:]
        switch name {
        case "null": return header["jwk"] == nil ? ["fail": true] : [:]
        case "tang": return try header.members("url", of: name)
        case "file": return try header.members("name", of: name)
        case "tpm2":
            return header.members.reduce(into: [:]) { members, member in
                if !["jwk_pub", "jwk_priv", "name"].contains(member.name) { members[member.name] = member.value }
            }
        case "trustee": return try (message.header["clevis"]?.object ?? [:]).members("servers", "path", of: name)
        case let pin where ConfiguredPin.isAttested(pin) && header["mode"] == "kbs": return resource(header)
        case let pin where ConfiguredPin.isAttested(pin) && header["mode"] != nil: return derived(header)
        case let pin where ConfiguredPin.isAttested(pin): return try attested(message, header, name)
        default:
            guard kept.members[place]?.object != nil else {
                throw unknown(name, place, "the token does not keep its configuration")
            }
            return [:]
        }
    }

    /// What left VMPL 0 out of the header would leave it to the report in a configuration.
    private func derived(_ header: JSONObject) -> JSONObject {
        var members = header
        members["salt"] = nil
        if members["vmpl"] == nil { members["vmpl"] = 0 }
        return members
    }

    /// A key that is not pinned must not become that of the owner's broker, which defaults would bring in.
    private func resource(_ header: JSONObject) -> JSONObject {
        var members = header
        members["salt"] = nil
        if members["tls"] == nil { members["tls"] = .null }
        return members
    }

    private func attested(_ message: JWE, _ header: JSONObject, _ name: String) throws -> JSONObject {
        var members = try header.members("url", "policy", of: name)
        members["tls"] = header["tls"]
        // In an envelope silence means all of it; an owner has to say so.
        if var policy = members["policy"]?.object, policy["covers"] == nil {
            policy["covers"] = ["firmware", "kernel", "initrd", "cmdline"]
            members["policy"] = .object(policy)
        }
        let id = message.header["kid"]?.string ?? ""
        guard let broker = (kept.brokers + knownBrokers).first(where: { $0.thumbprint == id }) else {
            throw Failure(
                "\(name): the key of its broker (\(id)) is neither in the token nor in your defaults",
                hint: "give the whole configuration: cvm-clevis luks edit -c")
        }
        members["broker"] = broker.jwk
        return members
    }

    private func unknown(_ name: String, _ place: String, _ reason: String) -> Failure {
        let child = place.isEmpty ? "" : " (child \(place) of the policy)"
        return Failure(
            "pin '\(name)'\(child) cannot be made again: \(reason)",
            hint: "nothing was changed; to bind under another policy give it: cvm-clevis luks edit -c")
    }
}

extension JSONObject {
    /// Those members, all of which a header must have.
    fileprivate func members(_ names: String..., of pin: String) throws -> JSONObject {
        var members: JSONObject = [:]
        for name in names {
            guard let value = self[name] else { throw Failure("the header of pin '\(pin)' has no member \(name)") }
            members[name] = value
        }
        return members
    }
}
