// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A LUKS2 volume on a block device or in an image file, by its path. Nothing is held open between calls.
///
/// Everything that is opened or changed comes from a validated ``HeaderCopy``, in memory; every error names the volume.
public struct Volume: Sendable, Equatable {
    public let path: String

    public init(_ path: String) { self.path = path }

    /// The LUKS UUID.
    public func uuid() throws(LUKSError) -> String { try Header(reading: path).uuid }
}

// MARK: - List

/// What a volume's header says about one token of type clevis.
public struct BindingRecord: Sendable {
    /// Empty for a binding that was not finished.
    public let keyslots: [Int]
    public let token: Int
    /// nil, like ``policy``, where the token cannot be read; then ``problem`` says why.
    public let message: JWE?
    public let policy: PolicyOutline?
    public let seal: ClevisToken.Seal?
    /// What the message does not say of the configuration (docs/spec/luks-token.md §1.1).
    public let config: JSONObject?
    public let standing: Standing
    public let problem: LUKSError?

    public enum Standing: Sendable, Equatable {
        /// The owner's signature covers it.
        case verified
        /// Made without an owner: by stock clevis.
        case unsigned
        /// Signed, and no key was given to check it with.
        case unchecked
        /// Not this owner's signature, or not over this volume.
        case bad
        /// Not a token that clevis could use.
        case unreadable
    }
}

extension Volume {
    /// The bindings in order of their tokens; `owner` checks their signatures.
    public func bindings(registry: PinRegistry, owner: PublicKey?) throws(LUKSError) -> [BindingRecord] {
        let header = try Header(reading: path)
        return header.tokens.sorted { $0.key < $1.key }.compactMap { number, json in
            Volume.record(number, json, header, registry, owner)
        }
    }

    private static func record(
        _ number: Int, _ json: JSON, _ header: Header, _ registry: PinRegistry, _ owner: PublicKey?
    ) -> BindingRecord? {
        do throws(LUKSError) {
            guard let token = try ClevisToken(json) else { return nil }
            let policy = try PolicyOutline(of: token.jwe, registry: registry)
            let (standing, problem) = standing(of: token, header, owner)
            return BindingRecord(
                keyslots: token.keyslots, token: number, message: token.jwe, policy: policy, seal: token.seal,
                config: token.config, standing: standing, problem: problem)
        } catch {
            return BindingRecord(
                keyslots: [], token: number, message: nil, policy: nil, seal: nil, config: nil,
                standing: .unreadable, problem: error.at("token \(number)"))
        }
    }

    private static func standing(
        of token: ClevisToken, _ header: Header, _ owner: PublicKey?
    ) -> (BindingRecord.Standing, LUKSError?) {
        guard token.seal != nil else { return (.unsigned, nil) }
        guard let owner else { return (.unchecked, nil) }
        do throws(LUKSError) {
            try token.verify(owner: owner, in: header)
            return (.verified, nil)
        } catch {
            return (.bad, error)
        }
    }
}

// MARK: - Unbind

/// Which binding is meant.
public enum BindingChoice: Sendable, Equatable {
    case keyslot(Int)
    case token(Int)
}

extension Volume {
    /// Removes a binding: its token gives way to a ``PendingToken``, the keyslot's key material is wiped, the keyslot taken from
    /// the header, and the token last. So a crash leaves what a repair can name, and no keyslot without a token. The volume's only keyslot stays unless `force`.
    public func unbind(
        _ choice: BindingChoice, force: Bool = false, wait: Deadline = .after(seconds: 10)
    ) throws(LUKSError) {
        let file = try VolumeFile(path, writable: true)
        try file.lock(until: wait)
        let header = try HeaderCopy(of: file).header
        let (token, keyslots) = try binding(choice, in: header)
        _ = try remove(token, keyslots, from: header, on: CryptDevice(header: path, place: path), force: force)
    }

    /// Removes those of `keyslots` that exist, and then the token. Returns them.
    func remove(
        _ token: Int, _ keyslots: [Int], from header: Header, on device: borrowing CryptDevice, force: Bool
    ) throws(LUKSError) -> [Int] {
        let doomed = keyslots.filter { header.keyslots[$0] != nil }
        guard force || doomed.count < header.keyslots.count || doomed.isEmpty else {
            throw LUKSError(
                .lastKeyslot, place: path, step: "unbind",
                detail: "nothing else would open this volume; add a passphrase first")
        }
        if !doomed.isEmpty { _ = try device.write(PendingToken(keyslots: doomed).json, at: token) }
        for keyslot in doomed { try device.removeKeyslot(keyslot) }
        try device.removeToken(token)
        return doomed
    }

    /// As they stand in a token's JSON, whatever else is wrong with it.
    func keyslots(of token: JSON) -> [Int] {
        (token["keyslots"]?.array ?? []).compactMap { $0.string.flatMap { Int($0) } }
    }

    /// Token and keyslots; read from the bare JSON, so that a token that is broken inside can be removed too.
    func binding(_ choice: BindingChoice, in header: Header) throws(LUKSError) -> (token: Int, keyslots: [Int]) {
        for (number, json) in header.tokens.sorted(by: { $0.key < $1.key }) where json["type"]?.string == ClevisToken.type {
            let keyslots = keyslots(of: json)
            switch choice {
            case .token(number): return (number, keyslots)
            case .keyslot(let keyslot) where keyslots.contains(keyslot): return (number, keyslots)
            default: continue
            }
        }
        let name =
            switch choice {
            case .token(let number): "token \(number)"
            case .keyslot(let number): "keyslot \(number)"
            }
        throw LUKSError(.notBound, place: path, detail: "\(name) is no clevis binding")
    }
}
