// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The writes of a new binding, in their order (docs/spec/luks-token.md, "Writing").
///
/// 1. the token, complete but for keyslot and signature: a crash after it leaves a token that opens nothing;
/// 2. the keyslot with its assignment, in one header write: after it the volume opens by the old ways, and this token is not
///    accepted yet;
/// 3. the token with the owner's signature, which covers the keyslot's salt and place.
struct Change: ~Copyable {
    let secret: SecretBytes
    let volumeKey: SecretBytes
    /// nil for a binding without a seal.
    let owner: SigningKey?
    let place: String

    init(secret: consuming SecretBytes, volumeKey: consuming SecretBytes, owner: SigningKey?, place: String) {
        self.secret = secret
        self.volumeKey = volumeKey
        self.owner = owner
        self.place = place
    }

    /// Where a binding was written.
    struct Written {
        let keyslot: Int
        let token: Int
    }

    /// Writes `token`; after an error `device` has neither it nor its keyslot.
    func write(
        _ token: ClevisToken, at placement: NewBinding.Placement, to device: borrowing CryptDevice, areaSize: Int
    ) throws(LUKSError) -> Written {
        let number = try device.write(token.json, at: placement.token)
        var keyslot: Int?
        do throws(LUKSError) {
            let added = try device.addKeyslot(placement.keyslot, for: secret, token: number, volumeKey: volumeKey)
            keyslot = added
            let written = Written(keyslot: added, token: number)
            guard owner != nil else { return written }
            _ = try device.write(signed(token.assigned(to: added), on: device, areaSize: areaSize).json, at: number)
            return written
        } catch {
            Change.undo(on: device, keyslot: keyslot, token: number)
            throw error.place.isEmpty ? error.at(place) : error
        }
    }

    /// `token` with the owner's signature over it as it would stand on `device`; as it is where nobody signs.
    func signed(
        _ token: ClevisToken, on device: borrowing CryptDevice, areaSize: Int
    ) throws(LUKSError) -> ClevisToken {
        guard let owner else { return token }
        return try token.signed(
            by: owner, in: Header(metadata: device.metadata(), uuid: device.uuid, areaSize: areaSize))
    }

    /// Reads back what was written.
    func verify(_ written: Written, _ token: ClevisToken, on volume: borrowing VolumeFile) throws(LUKSError) {
        let header = try Header(reading: volume)
        guard let found = try header.token(written.token), found.keyslots == [written.keyslot], found.jwe == token.jwe
        else {
            throw LUKSError(
                .failed, place: place, step: "read back", detail: "token \(written.token) is not what was written")
        }
        if let owner { try found.verify(owner: owner.publicKey, in: header) }
        guard let keyslot = header.keyslots[written.keyslot], let material = try KeyMaterial(of: keyslot, on: volume),
            material.gives(volumeKey, for: secret)
        else {
            throw LUKSError(
                .failed, place: place, step: "read back", detail: "keyslot \(written.keyslot) does not open")
        }
    }

    /// Takes away our own keyslot and token and nothing else. What fails here is left behind: the error that led here says
    /// more than a second one could.
    static func undo(on device: borrowing CryptDevice, keyslot: Int?, token: Int) {
        if let keyslot {
            _ = try? device.write(PendingToken(keyslots: [keyslot]).json, at: token)
            try? device.removeKeyslot(keyslot)
        }
        try? device.removeToken(token)
    }
}

extension Header {
    /// The token `number`; nil where there is none, or one of another type.
    func token(_ number: Int) throws(LUKSError) -> ClevisToken? {
        guard let json = tokens[number] else { return nil }
        return try ClevisToken(json)
    }
}
