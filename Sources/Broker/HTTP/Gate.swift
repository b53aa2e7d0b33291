// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import Synchronization

/// Lets so many requests in, and so many bytes of them, and turns the rest away at once, so that a storm costs memory for those
/// only. Who is let in waits for a thread: no longer than guests wait for an answer.
package final class Gate: Sendable {
    private struct State {
        var requests = 0
        var bytes = 0
    }

    private let capacity: Int
    private let maximumBytes: Int
    private let inside = Mutex(State())

    /// `bytes`: of all bodies together; one request gets in however long it is.
    package init(capacity: Int, bytes: Int) {
        self.capacity = capacity
        self.maximumBytes = bytes
    }

    /// Requests that are inside.
    package var count: Int { inside.withLock { $0.requests } }

    /// `bytes`: the length of the request's body.
    package func pass<Value: Sendable>(bytes: Int, _ body: () async throws -> Value) async throws -> Value {
        let admitted = inside.withLock { inside in
            let isRoom = inside.requests < capacity && (inside.requests == 0 || bytes <= maximumBytes - inside.bytes)
            guard isRoom else { return false }
            inside.requests += 1
            inside.bytes += bytes
            return true
        }
        guard admitted else {
            throw Rejection(.unavailable, "the broker is busy: as many requests are being decided as it takes on")
        }
        defer {
            inside.withLock { inside in
                inside.requests -= 1
                inside.bytes -= bytes
            }
        }
        return try await body()
    }
}
