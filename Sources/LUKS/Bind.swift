// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A binding to be made: the policy, already read by its pin, and what the owner says about it.
public struct NewBinding: Sendable {
    public let encryptor: any Encryptor
    /// `binding.owner` signs; nil makes a token without a seal, as stock clevis does.
    public let binding: Binding
    /// The volume's name in the guest's boot configuration; at most 64 characters (``BootConfig/Volume/isName(_:)``).
    public let name: String
    public let instance: String?
    public let check: Check
    public let placement: Placement
    /// What the header of the message will not say of the configuration; stands in the token, and is no secret.
    public let config: JSONObject?
    /// Whether the owner signs the binding too, and not only what its pins seal.
    public let isSealed: Bool
    /// What the guest's boot configuration allows, where it is known: another policy is not bound.
    public let demands: VolumeTrust?

    /// Where keyslot and token go; nil for the first that is free. A place that is taken is never overwritten.
    public struct Placement: Sendable {
        public let keyslot: Int?
        public let token: Int?

        /// Both from 0 to 31.
        public init(keyslot: Int? = nil, token: Int? = nil) {
            self.keyslot = keyslot
            self.token = token
        }
    }

    /// Whether the new message is decrypted before the disk is touched.
    public enum Check: Sendable {
        /// It must open here.
        case opens(seconds: Int)
        /// It must open where its pins are at hand: one that only a guest can open (`.unavailable`) is taken as it is.
        case opensIfPossible(seconds: Int)
        /// Not tried.
        case skipped

        /// How long to wait, and whether `.unavailable` will do; nil where nothing is tried.
        var terms: (seconds: Int, mayBeUnavailable: Bool)? {
            switch self {
            case .skipped: nil
            case .opens(let seconds): (seconds, false)
            case .opensIfPossible(let seconds): (seconds, true)
            }
        }
    }

    public init(
        encryptor: any Encryptor, binding: Binding, name: String, instance: String? = nil,
        check: Check = .opensIfPossible(seconds: 10), placement: Placement = Placement(), config: JSONObject? = nil,
        isSealed: Bool = true, demands: VolumeTrust? = nil
    ) {
        self.encryptor = encryptor
        self.binding = binding
        self.name = name
        self.instance = instance
        self.check = check
        self.placement = placement
        self.config = config
        self.isSealed = isSealed
        self.demands = demands
    }

    /// Who seals the binding.
    var owner: SigningKey? { isSealed ? binding.owner : nil }
}

/// A binding that was made, and read back from the disk.
public struct BoundVolume: Sendable, Equatable {
    public let keyslot: Int
    public let token: Int
    public let uuid: String
    /// Whether the policy was walked and gave the secret back; false where only a guest can.
    public let wasOpened: Bool
}

extension Volume {
    /// Adds a keyslot that only `new`'s policy opens. Either the binding is complete, or an error says why and the volume is
    /// as it was; a kill at any moment leaves what opened it before (docs/spec/luks-token.md, "Writing").
    ///
    /// Passphrase, message and room are tried on a copy of the header first, so that what is wrong with them never reaches the
    /// disk. `passphrase` opens any keyslot.
    public func bind(
        _ new: NewBinding, passphrase: borrowing SecretBytes, wait: Deadline = .after(seconds: 10)
    ) throws(LUKSError) -> BoundVolume {
        try bind(new, wait) { (device) throws(LUKSError) in try device.volumeKey(with: passphrase) }
    }

    /// The same with a token that libcryptsetup opens by itself, `luks2-keyring`, in place of a passphrase.
    public func bind(
        _ new: NewBinding, openedBy token: Int, wait: Deadline = .after(seconds: 10)
    ) throws(LUKSError) -> BoundVolume {
        try bind(new, wait) { (device) throws(LUKSError) in try device.volumeKey(openedBy: token) }
    }

    private func bind(
        _ new: NewBinding, _ wait: Deadline, _ open: (borrowing CryptDevice) throws(LUKSError) -> SecretBytes
    ) throws(LUKSError) -> BoundVolume {
        let file = try VolumeFile(path, writable: true)
        try file.lock(until: wait)
        let copy = try HeaderCopy(of: file)
        try requireFree(new.placement, in: copy.header)
        let prepared = try prepare(new, copy, open)
        let token = prepared.token
        let disk = try CryptDevice(header: path, place: path)
        let written = try prepared.change.write(token, at: new.placement, to: disk, areaSize: copy.areaSize)
        do throws(LUKSError) {
            try prepared.change.verify(written, token, on: file)
        } catch {
            Change.undo(on: disk, keyslot: written.keyslot, token: written.token)
            throw error
        }
        return BoundVolume(
            keyslot: written.keyslot, token: written.token, uuid: copy.header.uuid, wasOpened: prepared.wasOpened)
    }

    /// All of a change but its place.
    struct Prepared: ~Copyable {
        let change: Change
        /// Complete but for keyslot and signature.
        let token: ClevisToken
        let wasOpened: Bool
    }

    /// Opens the volume with `open`, and makes a message for a new passphrase meanwhile. Reads `copy` and writes nothing. `room`: bytes
    /// that the token may take beside those that are free.
    func prepare(
        _ new: NewBinding, _ copy: borrowing HeaderCopy, room: Int = 0,
        _ open: (borrowing CryptDevice) throws(LUKSError) -> SecretBytes
    ) throws(LUKSError) -> Prepared {
        guard BootConfig.Volume.isName(new.name) else {
            throw LUKSError(.malformed, place: path, step: "bind", detail: "a volume's name is 1 to 64 of A-Z a-z 0-9 _ . -")
        }
        let sealing = Sealing(new, for: self)
        let volumeKey: SecretBytes
        do throws(LUKSError) {
            volumeKey = try open(copy.device)
        } catch {
            _ = try? sealing.finish()
            throw error
        }
        let sealed = try sealing.finish()
        let token = sealed.token
        do throws(LUKSError) {
            try new.demands?.checkPolicy(token.jwe, registry: new.binding.registry)
        } catch {
            throw error.at(path)
        }
        try requireRoom(for: token, in: copy.header, beside: room)
        let wasOpened = sealed.wasOpened
        let change = Change(secret: sealed.secret, volumeKey: volumeKey, owner: new.owner, place: path)
        return Prepared(change: change, token: token, wasOpened: wasOpened)
    }

    /// 40 random bytes in base64url, as clevis makes them: 54 characters that fit wherever a passphrase is typed or piped.
    static func makePassphrase() throws(LUKSError) -> SecretBytes {
        do throws(PinError) {
            return try SecretBytes.random(count: 40).base64URL
        } catch {
            throw LUKSError(error)
        }
    }

    /// The token for `secret`, and whether its message was opened.
    func seal(_ secret: borrowing SecretBytes, _ new: NewBinding) throws(LUKSError) -> (ClevisToken, Bool) {
        do throws(PinError) {
            let jwe = try new.encryptor.encrypt(secret)
            let opened = try Volume.check(jwe, gives: secret, new)
            let seal = new.owner.map { _ in
                ClevisToken.Seal(issuedAt: new.binding.issuedAt, id: new.binding.id, name: new.name, instance: new.instance)
            }
            return (ClevisToken(keyslots: [], jwe: jwe, seal: seal, config: new.config), opened)
        } catch {
            throw LUKSError(error).at(path)
        }
    }

    private static func check(
        _ jwe: JWE, gives secret: borrowing SecretBytes, _ new: NewBinding
    ) throws(PinError) -> Bool {
        guard let (seconds, mayBeUnavailable) = new.check.terms else { return false }
        do throws(PinError) {
            let recovered = try PolicyWalk(registry: new.binding.registry, deadline: .after(seconds: seconds)).recover(jwe)
            guard recovered.equals(secret) else {
                throw PinError(.failed, step: "check", detail: "the new message opens to something else")
            }
            return true
        } catch {
            guard mayBeUnavailable, error.code == .unavailable else { throw error }
            return false
        }
    }

    private func requireFree(_ placement: NewBinding.Placement, in header: Header) throws(LUKSError) {
        if let keyslot = placement.keyslot, header.keyslots[keyslot] != nil {
            throw LUKSError(.noRoom, place: path, step: "bind", detail: "keyslot \(keyslot) is in use")
        }
        if let token = placement.token, header.tokens[token] != nil {
            throw LUKSError(.noRoom, place: path, step: "bind", detail: "token \(token) is in use")
        }
    }

    private func requireRoom(for token: ClevisToken, in header: Header, beside room: Int) throws(LUKSError) {
        let tokenSize = token.json.canonical.utf8.count
        let free = header.jsonSize - header.jsonUsed - Volume.keyslotJSONSize + room
        guard tokenSize <= free else {
            throw LUKSError(
                .noRoom, place: path, step: "write the token",
                detail: "it has \(tokenSize) bytes, and of the header's \(header.jsonSize) only \(max(0, free)) are free")
        }
    }

    /// What one more keyslot with its number in a digest and a token takes of the JSON area, at most.
    private static let keyslotJSONSize = 330
}
