// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import Synchronization

/// Lets a fixed number of requests in and turns the rest away at once, so that a storm costs memory for those only.
final class Gate: Sendable {
    private let capacity: Int
    private let inside = Mutex(0)

    var count: Int { inside.withLock { $0 } }

    init(capacity: Int) { self.capacity = capacity }

    func pass<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
        let admitted = inside.withLock { inside in
            guard inside < capacity else { return false }
            inside += 1
            return true
        }
        guard admitted else { throw Rejection(.unavailable, "the broker is busy: \(capacity) requests are being decided") }
        defer { inside.withLock { $0 -= 1 } }
        return try await body()
    }
}
