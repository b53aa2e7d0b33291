// SPDX-License-Identifier: Apache-2.0
internal import LUKS
internal import PinKit

/// One token of type clevis: what is wrong with it, and its policy where a guest would get so far as to ask the pins.
struct CheckedBinding {
    let number: Int
    let keyslot: Int
    let findings: [Finding]
    let policy: Policy?

    var place: String { "token \(number)" }
    var leaves: [JWE] { policy?.leaves.map(\.message) ?? [] }
}

/// What can be said about bindings without asking any pin.
struct BindingRules {
    let header: Header
    let demands: VolumeCheck.Demands
    let trust: VolumeTrust
    let registry: PinRegistry
    let device: String

    func bindings() -> [CheckedBinding] {
        let unfinished = header.unfinishedTokens
        return header.tokens.sorted { $0.key < $1.key }.compactMap { number, json in
            guard !unfinished.contains(number) else { return orphan(number) }
            do throws(LUKSError) {
                return try ClevisToken(json).map { check($0, number) }
            } catch {
                return refused(
                    number, [], .unreadableToken, "cannot be read: \(error.detail)",
                    "cryptsetup token remove --token-id \(number)")
            }
        }
    }

    private func check(_ token: ClevisToken, _ number: Int) -> CheckedBinding {
        guard let keyslot = token.keyslots.first, header.keyslots[keyslot] != nil else {
            return orphan(number)
        }
        do throws(LUKSError) {
            let policy = try readPolicy(token)
            let standing = try standing(token)
            let unconditional = policy.leastPins == 0 ? [openToAnybody(keyslot)] : []
            return CheckedBinding(
                number: number, keyslot: keyslot, findings: (standing + unconditional).map { $0.at("token \(number)") },
                policy: policy)
        } catch {
            let remedy = "bind it anew, then remove this one: cvm-clevis luks unbind -d \(device) -s \(keyslot)"
            return refused(number, token.keyslots, .untrusted, "\(error.step): \(error.detail)", remedy)
        }
    }

    private func orphan(_ number: Int) -> CheckedBinding {
        let text = "it is what an interrupted change of a binding left"
        let finding = Finding(
            .warning, .orphanedToken, at: "token \(number)", text, remedy: "cvm-clevis luks repair -d \(device)")
        return CheckedBinding(number: number, keyslot: -1, findings: [finding], policy: nil)
    }

    private func refused(
        _ number: Int, _ keyslots: [Int], _ code: Finding.Code, _ text: String, _ remedy: String
    ) -> CheckedBinding {
        let finding = Finding(.fails, code, at: "token \(number)", text, remedy: remedy)
        return CheckedBinding(number: number, keyslot: keyslots.first ?? -1, findings: [finding], policy: nil)
    }

    private func readPolicy(_ token: ClevisToken) throws(LUKSError) -> Policy {
        do throws(PinError) {
            return try Policy(of: token.jwe, registry: registry)
        } catch {
            throw LUKSError(.malformed, step: "policy", detail: error.description)
        }
    }

    /// Throws what a guest would say about a binding that it does not accept.
    private func standing(_ token: ClevisToken) throws(LUKSError) -> [Finding] {
        if case .owner(nil) = demands, token.seal != nil {
            let text = "it is signed, and no owner's key is here to check that with"
            return [Finding(.warning, .unchecked, text, remedy: "check it where the owner's key is, or with --boot-config")]
        }
        try trust.check(token, in: header, registry: registry)
        guard token.seal == nil, case .owner = demands else { return [] }
        let text = "it is not signed: a guest opens it only where its boot.json allows that"
        return [Finding(.warning, .unsigned, text, remedy: "check with --boot-config, or bind anew with an owner's key")]
    }

    private func openToAnybody(_ keyslot: Int) -> Finding {
        Finding(
            .warning, .unconditional, "its policy is met by anybody: the pins that it needs may all be null",
            remedy: "cvm-clevis luks unbind -d \(device) -s \(keyslot)")
    }

    /// A volume is as safe as its weakest binding: those that need fewer pins than another one are named.
    func comparison(_ bindings: [CheckedBinding]) -> [Finding] {
        let needs = bindings.compactMap { binding in binding.policy.map { (binding, $0.leastPins) } }
        guard let (strongest, most) = needs.max(by: { $0.1 < $1.1 }) else { return [] }
        return needs.filter { 0 < $0.1 && $0.1 < most }.map { binding, least in
            Finding(
                .warning, .weaker, at: binding.place,
                "\(least) pin\(least == 1 ? "" : "s") can open the volume, where token \(strongest.number) needs \(most)",
                remedy: "if it is not wanted any more: cvm-clevis luks unbind -d \(device) -s \(binding.keyslot)")
        }
    }
}
