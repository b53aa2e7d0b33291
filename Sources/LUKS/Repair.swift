// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What an interrupted bind or unbind left behind.
public struct UnfinishedBinding: Sendable, Equatable {
    public let token: Int
    /// Those that were removed with it.
    public let keyslots: [Int]
}

extension Volume {
    /// Takes away what interrupted binds and unbinds left: tokens without a keyslot, and bindings that were never signed, with
    /// their keyslots. The volume's only keyslot stays, and then its token too.
    ///
    /// Nothing is finished: to sign what lies on a disk would be to sign what somebody else may have put there.
    public func repair(wait: Deadline = .after(seconds: 10)) throws(LUKSError) -> [UnfinishedBinding] {
        let file = try VolumeFile(path, writable: true)
        try file.lock(until: wait)
        let header = try HeaderCopy(of: file).header
        let device = try CryptDevice(header: path, place: path)
        var removed: [UnfinishedBinding] = []
        for (number, json) in header.tokens.sorted(by: { $0.key < $1.key }) {
            guard let token = try? ClevisToken(json), token.isUnfinished else { continue }
            let keyslots = try remove(number, token.keyslots, from: header, on: device, force: false)
            removed.append(UnfinishedBinding(token: number, keyslots: keyslots))
        }
        return removed
    }
}

extension ClevisToken {
    /// Whether it is one of the states between the writes of a bind or an unbind.
    fileprivate var isUnfinished: Bool { keyslots.isEmpty || seal?.signature == Seal.unsigned }
}
