// SPDX-License-Identifier: Apache-2.0
import LUKS
import PinKit

/// A binding that is about to be replaced by one of the same pin: what `edit` and `regen` have in common.
struct Rebinding {
    let volume: Volume
    let slot: Int
    let defaults: Defaults
    let record: BindingRecord
    let message: JWE

    /// Throws where there is no binding, or one that only its owner may change.
    init(_ volume: Volume, _ slot: Int, _ defaults: Defaults) throws {
        let owner = try defaults.owner()?.publicKey
        let records = try volume.bindings(registry: Pins.registry, owner: owner)
        guard let record = records.first(where: { $0.keyslots.contains(slot) }) else {
            throw Failure("\(volume.path): keyslot \(slot) is no clevis binding")
        }
        let place = "\(volume.path): token \(record.token)"
        switch record.standing {
        case .verified, .unsigned: break
        case .unchecked: throw Failure("\(place) is signed, and the key of its owner is not here: only the owner changes it")
        case .bad, .unreadable:
            throw Failure(
                "\(place): \(record.problem?.description ?? "unreadable")",
                hint: "if it was you who changed it with another program, sign it: cvm-clevis luks sign")
        }
        guard let message = record.message else { throw Failure("\(place) is unreadable") }
        (self.volume, self.slot, self.defaults, self.record, self.message) = (volume, slot, defaults, record, message)
    }

    var pin: String { message.pin ?? "" }

    /// What would make the same policy again.
    func configuration() throws -> JSON {
        try RestoredConfiguration(record, defaults).configuration(of: message)
    }

    /// Whether somebody who cannot open the volume could have written what ``configuration()`` gives. The owner's signature
    /// rules that out; so does a message that opens the keyslot, for what stands in its own headers.
    func isProven(byOpening opened: Bool) -> Bool {
        record.standing == .verified || (opened && record.config == nil)
    }

    /// The passphrase of the binding itself; nil, and why in `reason`, where its policy gives none here and now.
    func passphrase(_ patience: Patience, reason: inout String) -> SecretBytes? {
        do {
            let trust = VolumeTrust(
                owner: record.seal == nil ? nil : try defaults.owner()?.publicKey, unsigned: record.seal == nil)
            return try volume.passphrase(
                of: .token(record.token), trust: trust, registry: Pins.registry, deadline: patience.deadline)
        } catch {
            reason = "\(error)"
            return nil
        }
    }

    /// Messages in which an earlier decision says whom to trust: the leaves of the policy.
    func leaves() -> [JWE] { Rebinding.leaves(of: message) }

    static func leaves(of message: JWE) -> [JWE] { leaves(message, depth: 1) }

    private static func leaves(_ message: JWE, depth: Int) -> [JWE] {
        guard depth < PolicyWalk.maximumDepth, let policy = (try? Pins.registry.pin(of: message)) as? any PolicyPin,
            let threshold = try? policy.threshold(of: message)
        else { return [message] }
        return threshold.children.flatMap { leaves($0, depth: depth + 1) }
    }

    /// What revokes the binding at the brokers of its policy: an owner and an id for each that differs.
    func revocations() -> [(owner: String, id: String)] {
        leaves().reduce(into: []) { found, leaf in
            guard let pin = leaf.pin, ConfiguredPin.isAttested(pin), let owner = leaf.parameters?["owner"]?.string,
                let id = leaf.parameters?["id"]?.string, !found.contains(where: { $0 == (owner, id) })
            else { return }
            found.append((owner, id))
        }
    }
}

extension Rebinding {
    /// Makes the new binding and says what there is to do about the old one. Standard output gets the commands that revoke it,
    /// or with `json` one object.
    func replace(
        with configuration: JSON, in binding: Binding, isSealed: Bool, name: String, opening: borrowing SecretBytes,
        json: Bool
    ) throws {
        let parts = ConfiguredPin.all(pin, configuration, binding)
        let new = NewBinding(
            encryptor: try Pins.encryptor(named: pin, for: configuration, in: binding), binding: binding,
            name: record.seal?.name ?? name, instance: Bind.instance(parts), config: KeptConfiguration(of: parts).json,
            isSealed: isSealed)
        let bound = try volume.replace(.token(record.token), holding: message, with: new, passphrase: opening)
        try remember(bound, binding, isSealed: isSealed)
        report(bound, binding, json: json)
    }

    private func remember(_ bound: BoundVolume, _ binding: Binding, isSealed: Bool) throws {
        guard isSealed, binding.owner != nil else { return }
        try Ledger(defaults).remember(bound, in: volume)
    }

    private func report(_ bound: BoundVolume, _ binding: Binding, json: Bool) {
        let proof = bound.wasOpened ? "opened once to prove it" : "to be opened by the guest only"
        Console.say("\(volume.path): keyslot \(bound.keyslot), token \(bound.token) bound to \(pin) anew; \(proof)")
        let old = revocations()
        guard !json else {
            var answer: JSONObject = [
                "device": .string(volume.path), "uuid": .string(bound.uuid), "keyslot": .integer(Int64(bound.keyslot)),
                "token": .integer(Int64(bound.token)), "id": .string(binding.id), "opened": .bool(bound.wasOpened),
                "revoke": .array(old.map { ["owner": .string($0.owner), "id": .string($0.id)] }),
            ]
            answer["replaced"] = record.seal.map { .string($0.id) }
            return Console.answer(JSON.object(answer).canonical)
        }
        guard !old.isEmpty else { return }
        Console.say("its broker still opens the old binding, of which an old copy of the disk may have the rest, until:")
        for (owner, id) in old { Console.answer("cvm-clevis-broker revoke binding -- DIRECTORY \(owner) \(id)") }
    }
}

extension Ledger {
    /// Keeps what was just signed, as it is read back from the volume.
    func remember(_ bound: BoundVolume, in volume: Volume) throws {
        let records = try volume.bindings(registry: Pins.registry, owner: nil)
        guard let record = records.first(where: { $0.token == bound.token }), let seal = record.seal,
            let message = record.message
        else { return }
        remember(
            Entry(
                statement: try volume.statement(.token(bound.token), seal),
                policy: ListedConfiguration(registry: Pins.registry).text(message), keyslot: bound.keyslot))
    }
}
