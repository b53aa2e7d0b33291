// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What an interrupted change left behind, and a repair has removed.
public struct UnfinishedBinding: Sendable, Equatable {
    public let token: Int
    /// Those that were removed with it.
    public let keyslots: [Int]
}

extension Volume {
    /// Brings the volume to where it was before an interrupted change, or after it. Takes away tokens without a keyslot and
    /// bindings that were never signed, with their keyslots; and of a replacement or a removal that was not finished the keyslots
    /// that no binding has. The volume's only keyslot stays, and then its token too.
    ///
    /// Nothing is signed: to sign what lies on a disk would be to sign what somebody else may have put there.
    public func repair(wait: Deadline = .after(seconds: 10)) throws(LUKSError) -> [UnfinishedBinding] {
        let file = try VolumeFile(path, writable: true)
        try file.lock(until: wait)
        return try tidy(HeaderCopy(of: file).header)
    }

    /// ``repair(wait:)`` for who holds the lock and has just read `header`.
    func tidy(_ header: Header) throws(LUKSError) -> [UnfinishedBinding] {
        let device = try CryptDevice(header: path, place: path)
        var bound: [Int] = []
        var removed: [UnfinishedBinding] = []
        for (number, json) in header.tokens.sorted(by: { $0.key < $1.key })
        where json["type"]?.string == ClevisToken.type {
            // What cannot be read is not known to be unfinished.
            let token = try? ClevisToken(json)
            guard let token, token.isUnfinished else {
                bound += keyslots(of: json)
                continue
            }
            removed.append(try drop(number, token.keyslots, header, device))
        }
        for (number, json) in header.tokens.sorted(by: { $0.key < $1.key }) {
            guard let pending = PendingToken(json) else { continue }
            removed.append(try drop(number, pending.keyslots.filter { !bound.contains($0) }, header, device))
        }
        return removed
    }

    private func drop(
        _ token: Int, _ keyslots: [Int], _ header: Header, _ device: borrowing CryptDevice
    ) throws(LUKSError) -> UnfinishedBinding {
        let removed = try remove(token, keyslots, from: header, on: device, force: false)
        return UnfinishedBinding(token: token, keyslots: removed)
    }
}

extension Header {
    /// Tokens that an interrupted change left, in order: what a repair acts on.
    package var unfinishedTokens: [Int] {
        tokens.filter { (try? ClevisToken($0.value))?.isUnfinished == true || PendingToken($0.value) != nil }.keys.sorted()
    }
}

extension ClevisToken {
    /// Whether it is one of the states between the writes of a bind.
    fileprivate var isUnfinished: Bool { keyslots.isEmpty || seal?.signature == Seal.unsigned }
}
