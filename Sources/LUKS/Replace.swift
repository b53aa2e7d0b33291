// SPDX-License-Identifier: Apache-2.0
public import PinKit

extension Volume {
    /// Puts `new` in the place of a binding, at its keyslot and its token. One of the two opens the volume at every moment;
    /// after a kill, ``repair(wait:)`` leaves that one (docs/spec/luks-token.md §4.2).
    ///
    /// `message` is what the caller has seen there: a binding that was changed since is `.busy`. `passphrase` opens any keyslot.
    /// Needs room for one more keyslot, and for what the new token has more than the old: `.noRoom`, and nothing has changed,
    /// where there is none. `new.placement` is ignored.
    public func replace(
        _ old: BindingChoice, holding message: JWE, with new: NewBinding, passphrase: borrowing SecretBytes,
        wait: Deadline = .after(seconds: 10)
    ) throws(LUKSError) -> BoundVolume {
        let file = try VolumeFile(path, writable: true)
        try file.lock(until: wait)
        let copy = try HeaderCopy(of: file)
        let (number, replaced) = try replaceable(old, holding: message, in: copy.header)
        let room = replaced.json.canonical.utf8.count - Replacement.pendingSize
        let prepared = try prepare(new, copy, room: room) { (device) throws(LUKSError) in
            try device.volumeKey(with: passphrase)
        }
        let replacement = Replacement(number: number, old: replaced, new: prepared.token, areaSize: copy.areaSize)
        try replacement.write(prepared.change, to: copy.device) { _, _ in }
        do throws(LUKSError) {
            let disk = try CryptDevice(header: path, place: path)
            try replacement.write(prepared.change, to: disk) { (written, token) throws(LUKSError) in
                try prepared.change.verify(written, token, on: file)
            }
        } catch {
            // What fails here is left to a repair: the error that led here says more than a second one could.
            _ = try? tidy(HeaderCopy(of: file).header)
            throw error
        }
        return BoundVolume(
            keyslot: replaced.keyslots[0], token: number, uuid: copy.header.uuid, wasOpened: prepared.wasOpened)
    }

    /// The binding whose message is `message`; it must have exactly one keyslot.
    func replaceable(
        _ choice: BindingChoice, holding message: JWE, in header: Header
    ) throws(LUKSError) -> (number: Int, token: ClevisToken) {
        let number = try binding(choice, in: header).token
        let place = "\(path): token \(number)"
        guard let token = try header.token(number), token.jwe == message else {
            throw LUKSError(.busy, place: place, detail: "another program has changed it meanwhile")
        }
        guard token.keyslots.count == 1, header.keyslots[token.keyslots[0]] != nil else {
            throw LUKSError(.malformed, place: place, detail: "it does not belong to exactly one keyslot")
        }
        return (number, token)
    }
}

/// The writes that put one binding in the place of another; done once on a copy and once on the disk.
///
/// 1. a ``PendingToken`` with the old keyslot;
/// 2. a keyslot for the new passphrase, assigned to it;
/// 3. the new token, signed, over the old one: in this one header write the binding changes from old to new;
/// 4. the old keyslot is removed: first wiped, then taken from the header;
/// 5. steps 2 to 4 once more, with another keyslot at the old place;
/// 6. the pending token is removed.
///
/// So the token always belongs to a keyslot that its policy opens, and the pending one names whatever else there is.
struct Replacement {
    /// Of the token.
    let number: Int
    let old: ClevisToken
    /// Complete but for keyslot and signature.
    let new: ClevisToken
    let areaSize: Int

    /// Bytes of JSON that the pending token takes, at most.
    static let pendingSize = 80

    /// `verify` looks at what reached the disk. After an error the rest is left to ``Volume/tidy(_:)``.
    func write(
        _ change: borrowing Change, to device: borrowing CryptDevice,
        verify: (Change.Written, ClevisToken) throws(LUKSError) -> Void
    ) throws(LUKSError) {
        let pending = try device.write(PendingToken(keyslots: old.keyslots).json)
        let substitute = try move(old, to: nil, change, pending, on: device, verify)
        _ = try move(substitute, to: old.keyslots[0], change, pending, on: device, verify)
        try device.removeToken(pending)
    }

    /// Puts the new binding, at `keyslot` or at the first that is free, in the place of `previous`. Returns it as it is written.
    private func move(
        _ previous: ClevisToken, to keyslot: Int?, _ change: borrowing Change, _ pending: Int,
        on device: borrowing CryptDevice, _ verify: (Change.Written, ClevisToken) throws(LUKSError) -> Void
    ) throws(LUKSError) -> ClevisToken {
        let added = try device.addKeyslot(
            keyslot, for: change.secret, token: pending, volumeKey: change.volumeKey)
        let token = try change.signed(new.assigned(to: added), on: device, areaSize: areaSize)
        _ = try device.write(token.json, at: number)
        do throws(LUKSError) {
            try verify(Change.Written(keyslot: added, token: number), token)
        } catch {
            _ = try? device.write(previous.json, at: number)
            throw error
        }
        try device.removeKeyslot(previous.keyslots[0])
        return token
    }
}
