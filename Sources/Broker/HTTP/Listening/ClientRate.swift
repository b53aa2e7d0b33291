// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// How many requests a client may send: a bucket of tokens each, which fills at a steady rate.
package final class ClientRate: Sendable {
    /// Buckets that are kept; some 100 bytes each.
    static let capacity = 1 << 16
    /// How many seconds' worth a client that was quiet may send at once.
    static let burstSeconds = 10.0

    private struct Bucket {
        var tokens: Double
        var at: ContinuousClock.Instant
    }

    private let rate: Double
    private let buckets = Mutex([ClientAddress: Bucket]())

    /// `rate`: requests a second; 0 where there is no limit.
    package init(_ rate: Int) { self.rate = Double(rate) }

    /// Whether `remote`, an IP address, may send one more.
    package func take(_ remote: String, at now: ContinuousClock.Instant = .now) -> Bool {
        guard rate > 0 else { return true }
        let client = ClientAddress(remote)
        return buckets.withLock { buckets in
            if buckets[client] == nil, buckets.count >= Self.capacity { forgetQuiet(&buckets, at: now) }
            let level = buckets[client].map { filled($0, at: now) } ?? burst
            guard level >= 1 else {
                buckets[client] = Bucket(tokens: level, at: now)
                return false
            }
            buckets[client] = Bucket(tokens: level - 1, at: now)
            return true
        }
    }

    private var burst: Double { rate * Self.burstSeconds }

    private func filled(_ bucket: Bucket, at now: ContinuousClock.Instant) -> Double {
        min(burst, bucket.tokens + max(0, (now - bucket.at) / .seconds(1)) * rate)
    }

    /// Full buckets say nothing. Where so many clients are active at once, all begin anew.
    private func forgetQuiet(_ buckets: inout [ClientAddress: Bucket], at now: ContinuousClock.Instant) {
        let active = buckets.filter { filled($0.value, at: now) < burst }
        buckets = active.count < Self.capacity / 2 ? active : [:]
    }
}
