// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What is demanded of a volume before any pin is asked: nothing on the disk may choose whom to trust.
///
/// A guest has it from its measured ``BootConfig``; at home it is the owner's own key. What is nil is not demanded.
public struct VolumeTrust: Sendable, Equatable {
    /// Whose signature a binding needs.
    public let owner: PublicKey?
    /// Whether a binding without any signature will do (stock clevis). One with a wrong signature never does.
    public let unsigned: Bool
    /// The volume's name in the binding, and its LUKS UUID.
    public let name: String?
    public let uuid: String?
    /// The pins that may stand in a policy, thresholds included.
    public let pins: [String]?
    /// How pins with several modes may be asked, where it is not as usual; looked at where ``pins`` is given.
    public let modes: PinModes

    public init(
        owner: PublicKey?, unsigned: Bool = false, name: String? = nil, uuid: String? = nil, pins: [String]? = nil,
        modes: PinModes = PinModes()
    ) {
        self.owner = owner
        self.unsigned = unsigned
        self.name = name
        self.uuid = uuid
        self.pins = pins
        self.modes = modes
    }

    package func check(_ header: Header) throws(LUKSError) {
        guard let uuid, uuid != header.uuid else { return }
        throw LUKSError(
            .refused, step: "boot configuration", detail: "the volume's UUID is \(shown(header.uuid)), not \(uuid)")
    }

    package func check(_ token: ClevisToken, in header: Header, registry: PinRegistry) throws(LUKSError) {
        try checkSignature(token, header)
        if let name, let seal = token.seal, seal.name != name {
            throw LUKSError(
                .refused, step: "boot configuration", detail: "the binding is for volume \(shown(seal.name)), not \(name)")
        }
        try checkKeyslots(token, header)
        try checkPolicy(token.jwe, registry: registry)
    }

    /// Whether the pins of a message, and the modes in which they are to be asked, are among those allowed.
    func checkPolicy(_ message: JWE, registry: PinRegistry) throws(LUKSError) {
        guard let allowed = pins else { return }
        let policy = try PolicyOutline(of: message, registry: registry)
        for pin in policy.pins where !allowed.contains(pin) {
            throw LUKSError(
                .refused, step: "boot configuration",
                detail: "pin \(shown(pin)) is not among those allowed: \(allowed.joined(separator: ", "))")
        }
        for leaf in policy.leaves where !modes.allow(leaf) {
            throw LUKSError(
                .refused, step: "boot configuration",
                detail: "pin \(shown(leaf.pin)) is not to be asked in the mode, or by the selectors, of this binding")
        }
    }

    private func checkSignature(_ token: ClevisToken, _ header: Header) throws(LUKSError) {
        if token.seal == nil {
            guard unsigned else {
                throw LUKSError(
                    .refused, step: "signature", detail: "the binding has none, and an unsigned one is not allowed here")
            }
            return
        }
        guard let owner else {
            throw LUKSError(
                .refused, step: "signature", detail: "the binding is signed, and no owner's key is given to check it")
        }
        try token.verify(owner: owner, in: header)
    }

    private func checkKeyslots(_ token: ClevisToken, _ header: Header) throws(LUKSError) {
        guard !token.keyslots.isEmpty else {
            throw LUKSError(
                .malformed, step: "read the token", detail: "it belongs to no keyslot: a binding that was not finished")
        }
        for keyslot in token.keyslots where header.keyslots[keyslot] == nil {
            throw LUKSError(.malformed, step: "read the token", detail: "keyslot \(keyslot) does not exist")
        }
    }
}
