// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The writes of a new binding, in their order (docs/spec/luks-token.md, "Writing"); done once on a copy and once on the disk.
///
/// 1. the token, complete but for keyslot and signature: a crash after it leaves a token that opens nothing;
/// 2. the keyslot with its assignment, in one header write: after it the volume opens by the old ways, and this token is not
///    accepted yet;
/// 3. the token with the owner's signature, which covers the keyslot's salt and place.
struct Change: ~Copyable {
    let token: ClevisToken
    let placement: NewBinding.Placement
    let secret: SecretBytes
    let volumeKey: SecretBytes
    let owner: SigningKey?
    let place: String

    init(
        token: ClevisToken, placement: NewBinding.Placement, secret: consuming SecretBytes,
        volumeKey: consuming SecretBytes, owner: SigningKey?, place: String
    ) {
        self.token = token
        self.placement = placement
        self.secret = secret
        self.volumeKey = volumeKey
        self.owner = owner
        self.place = place
    }

    /// Returns the new keyslot and token; after an error `device` has neither.
    func write(to device: borrowing CryptDevice, areaSize: Int) throws(LUKSError) -> (keyslot: Int, token: Int) {
        let number = try device.write(token.json, at: placement.token)
        var keyslot: Int?
        do throws(LUKSError) {
            let added = try device.addKeyslot(placement.keyslot, for: secret, token: number, volumeKey: volumeKey)
            keyslot = added
            let assigned = token.assigned(to: added, seal: token.seal)
            guard let owner else { return (added, number) }
            let header = try Header(metadata: device.metadata(), uuid: device.uuid, areaSize: areaSize)
            _ = try device.write(assigned.signed(by: owner, in: header).json, at: number)
            return (added, number)
        } catch {
            Change.undo(on: device, keyslot: keyslot, token: number)
            throw error.place.isEmpty ? error.at(place) : error
        }
    }

    /// Reads back what was written, from a fresh copy of the disk.
    func verify(_ copy: borrowing HeaderCopy, keyslot: Int, token number: Int) throws(LUKSError) {
        guard let token = try copy.header.tokens[number].flatMap({ json throws(LUKSError) in try ClevisToken(json) }),
            token.keyslots == [keyslot], token.jwe == self.token.jwe
        else { throw LUKSError(.failed, place: place, step: "read back", detail: "token \(number) is not what was written") }
        if let owner { try token.verify(owner: owner.publicKey, in: copy.header) }
        guard try copy.device().opens(keyslot, with: secret) else {
            throw LUKSError(.failed, place: place, step: "read back", detail: "keyslot \(keyslot) does not open")
        }
    }

    /// Takes away our own keyslot and token and nothing else. What fails here is left behind: the error that led here says
    /// more than a second one could.
    static func undo(on device: borrowing CryptDevice, keyslot: Int?, token: Int) {
        if let keyslot { try? device.removeKeyslot(keyslot) }
        try? device.removeToken(token)
    }
}
