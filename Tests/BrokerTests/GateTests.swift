// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import Testing

@Suite struct GateTests {
    /// Whether a request of so many bytes gets in while others of these are inside.
    private func isAdmitted(_ bytes: Int, beside others: [Int], _ gate: Gate) async throws -> Bool {
        guard let first = others.first else {
            do {
                return try await gate.pass(bytes: bytes) { true }
            } catch let rejection as Rejection {
                #expect(rejection.variant == .unavailable)
                return false
            }
        }
        return try await gate.pass(bytes: first) {
            try await isAdmitted(bytes, beside: Array(others.dropFirst()), gate)
        }
    }

    @Test func `as many get in as there is room for`() async throws {
        let gate = Gate(capacity: 3, bytes: 1000)
        #expect(try await isAdmitted(1, beside: [1, 1], gate))
        #expect(try await !isAdmitted(1, beside: [1, 1, 1], gate))
        #expect(gate.count == 0)
    }

    @Test func `as many bytes get in, and one request however long it is`() async throws {
        let gate = Gate(capacity: 10, bytes: 1000)
        #expect(try await isAdmitted(500, beside: [300, 200], gate))
        #expect(try await !isAdmitted(501, beside: [300, 200], gate))
        #expect(try await isAdmitted(5000, beside: [], gate))
        #expect(try await !isAdmitted(1, beside: [5000], gate))
        #expect(try await isAdmitted(1000, beside: [], gate))
        #expect(gate.count == 0)
    }

    @Test func `who fails inside leaves all the same`() async throws {
        struct Failure: Error {}
        let gate = Gate(capacity: 1, bytes: 1000)
        for _ in 0..<5 {
            await #expect(throws: Failure.self) { try await gate.pass(bytes: 900) { throw Failure() } as Int }
        }
        #expect(gate.count == 0)
    }
}
