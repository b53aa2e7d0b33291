// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What the owner is about to sign again.
public struct Resealing: Sendable {
    /// The token's message, as the caller has seen and judged it.
    public let message: JWE
    /// What ``Volume/statement(_:_:)`` gave, and the owner has seen.
    public let statement: JSON
    public let check: NewBinding.Check

    public init(message: JWE, statement: JSON, check: NewBinding.Check = .opensIfPossible(seconds: 10)) {
        self.message = message
        self.statement = statement
        self.check = check
    }
}

extension Volume {
    /// What the owner would sign for a binding as it is now on the disk, with `seal` in place of its own
    /// (docs/spec/luks-token.md §2).
    public func statement(_ choice: BindingChoice, _ seal: ClevisToken.Seal) throws(LUKSError) -> JSON {
        let header = try HeaderCopy(of: path).header
        let number = try binding(choice, in: header).token
        do throws(LUKSError) {
            guard let token = try header.token(number) else { throw LUKSError(.malformed, step: "read the token") }
            return try BindingStatement(token.sealed(with: seal), in: header).json
        } catch {
            throw error.at("token \(number)").at(path)
        }
    }

    /// Signs a binding as it is on the disk: after another program changed it, and the owner has looked. Writes the token and
    /// nothing else. Returns whether the policy gave the keyslot's passphrase; one that gives another is `.refused`.
    ///
    /// `.busy` where the disk no longer has what `new` says.
    public func sign(
        _ choice: BindingChoice, _ seal: ClevisToken.Seal, _ new: Resealing, by owner: SigningKey, registry: PinRegistry,
        wait: Deadline = .after(seconds: 10)
    ) throws(LUKSError) -> Bool {
        guard BootConfig.Volume.isName(seal.name) else {
            throw LUKSError(.malformed, place: path, step: "sign", detail: "a volume's name is 1 to 64 of A-Z a-z 0-9 _ . -")
        }
        let file = try VolumeFile(path, writable: true)
        try file.lock(until: wait)
        let copy = try HeaderCopy(of: file)
        let (number, found) = try replaceable(choice, holding: new.message, in: copy.header)
        let token = found.sealed(with: seal)
        guard try BindingStatement(token, in: copy.header).json == new.statement else {
            throw LUKSError(.busy, place: path, step: "sign", detail: "another program has changed it meanwhile")
        }
        let wasOpened = try proves(token, copy, new.check, registry)
        let signed = try token.signed(by: owner, in: copy.header)
        _ = try copy.device.write(signed.json, at: number)
        _ = try CryptDevice(header: path, place: path).write(signed.json, at: number)
        let written = try HeaderCopy(of: file).header
        guard try written.token(number) == signed else {
            throw LUKSError(.failed, place: path, step: "read back", detail: "token \(number) is not what was written")
        }
        try signed.verify(owner: owner.publicKey, in: written)
        return wasOpened
    }

    private func proves(
        _ token: ClevisToken, _ copy: borrowing HeaderCopy, _ check: NewBinding.Check,
        _ registry: PinRegistry
    ) throws(LUKSError) -> Bool {
        guard let (seconds, mayBeUnavailable) = check.terms else { return false }
        let secret: SecretBytes
        do throws(PinError) {
            secret = try PolicyWalk(registry: registry, deadline: .after(seconds: seconds)).recover(token.jwe)
        } catch {
            guard mayBeUnavailable, error.code == .unavailable else { throw LUKSError(error).at(path) }
            return false
        }
        let keyslot = token.keyslots[0]
        guard try copy.device.opens(keyslot, with: secret) else {
            throw LUKSError(
                .refused, place: path, step: "sign", detail: "what its policy gives does not open keyslot \(keyslot)")
        }
        return true
    }
}
