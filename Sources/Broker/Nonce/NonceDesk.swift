// SPDX-License-Identifier: Apache-2.0
package import PinKit
internal import Synchronization

/// Hands out nonces and takes each back once: within this replica a nonce serves one request, whatever becomes of it.
///
/// What it remembers is bounded. Whoever floods it can make it forget, and then a nonce may serve twice within its lifetime;
/// that gains nothing, since the second answer is encrypted to the same one-time key as the first.
package final class NonceDesk: Sendable {
    /// Nonces remembered per half; two halves are held, and the older one is dropped when the newer one is full or a
    /// lifetime old.
    package static let capacity = 1 << 17

    /// Why a nonce is no good, in words for the guest's log.
    package struct Rejection: Error, Equatable {
        package let reason: String
        static let foreign = Rejection(reason: "the nonce is not one of this broker's: ask for one with auth")
        static let reused = Rejection(reason: "the nonce was used before: ask for a new one with auth")
    }

    private struct Spent {
        var newer: Set<[UInt8]> = []
        var older: Set<[UInt8]> = []
        var turnedAt: Int64 = 0
    }

    private let keys: KeyRing
    private let spent = Mutex(Spent())

    package init(_ keys: KeyRing) { self.keys = keys }

    package func issue(at now: Int64) throws(PinError) -> [UInt8] { try keys.keys(at: now).nonces.current.seal(at: now) }

    /// Whether `nonce` is this broker's and in time; it may have been spent. Does not block.
    func isFresh(_ nonce: [UInt8], at now: Int64) -> Bool {
        guard let born = birth(of: nonce, keys.keys(at: now)) else { return false }
        return -NonceSealer.clockSkew...NonceSealer.lifetime ~= now - born
    }

    /// Spends `nonce`, or says why it cannot be.
    package func redeem(_ nonce: [UInt8], at now: Int64) throws(Rejection) {
        guard let born = keys.search(at: now, { birth(of: nonce, $0) }) else { throw .foreign }
        let age = now - born
        guard age <= NonceSealer.lifetime, age >= -NonceSealer.clockSkew else {
            throw Rejection(reason: "the nonce expired: it is \(age) s old and lived \(NonceSealer.lifetime) s")
        }
        guard remember(nonce, at: now) else { throw .reused }
    }

    private func birth(of nonce: [UInt8], _ keys: BrokerKeys) -> Int64? { keys.nonces.firstResult { $0.open(nonce) } }

    private func remember(_ nonce: [UInt8], at now: Int64) -> Bool {
        spent.withLock { spent in
            // A half may be dropped once everything in it has expired, clock skew included.
            let halfLife = NonceSealer.lifetime + NonceSealer.clockSkew
            if now - spent.turnedAt > halfLife || spent.newer.count >= NonceDesk.capacity {
                spent.older = spent.newer
                spent.newer = []
                spent.turnedAt = now
            }
            guard !spent.older.contains(nonce) else { return false }
            return spent.newer.insert(nonce).inserted
        }
    }
}
