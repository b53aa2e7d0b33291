// SPDX-License-Identifier: Apache-2.0
public import PinKit

extension Volume {
    /// The passphrase of one binding, once it has opened its keyslot; of a copy of the header, as ``Unlocker`` does it. Pins
    /// are asked until `deadline`.
    ///
    /// `.notBound` for a place without a binding, `.refused` where `trust` does not accept the binding or its secret does not
    /// open its keyslot any more; else what the pins said.
    public func passphrase(
        of choice: BindingChoice, trust: VolumeTrust, registry: PinRegistry, deadline: Deadline
    ) throws(LUKSError) -> SecretBytes {
        let copy = try HeaderCopy(of: path)
        let number = try binding(choice, in: copy.header).token
        do throws(LUKSError) {
            try trust.check(copy.header)
            guard let token = try copy.header.tokens[number].flatMap({ json throws(LUKSError) in try ClevisToken(json) })
            else { throw LUKSError(.malformed, step: "read the token") }
            try trust.check(token, in: copy.header, registry: registry)
            return try open(token, copy, PolicyWalk(registry: registry, deadline: deadline))
        } catch {
            throw error.place.hasPrefix(path) ? error : error.at("token \(number)").at(path)
        }
    }

    private func open(
        _ token: ClevisToken, _ copy: borrowing HeaderCopy, _ walk: PolicyWalk
    ) throws(LUKSError) -> SecretBytes {
        let secret: SecretBytes
        do throws(PinError) {
            secret = try walk.recover(token.jwe)
        } catch {
            throw LUKSError(error)
        }
        var isOpen = false
        for keyslot in token.keyslots where !isOpen { isOpen = try copy.device.opens(keyslot, with: secret) }
        guard isOpen else {
            throw LUKSError(.refused, step: "open", detail: "its secret does not open its keyslot any more")
        }
        return secret
    }
}
