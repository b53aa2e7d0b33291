// SPDX-License-Identifier: Apache-2.0
import Broker
import Testing

@Suite struct ClientRateTests {
    @Test func `ten seconds' worth at once, then as many as the rate`() {
        let rate = ClientRate(2)
        let start = ContinuousClock.now
        #expect((0..<30).count { _ in rate.take("192.0.2.1", at: start) } == 20)
        #expect((0..<30).count { _ in rate.take("192.0.2.1", at: start + .seconds(3)) } == 6)
        #expect((0..<30).count { _ in rate.take("192.0.2.1", at: start + .seconds(1000)) } == 20)
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.2", false), ("2001:db8::1", "2001:db8::ffff:1", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true), ("unknown", "unknown", true),
    ])
    func `a client is an IPv4 address or a 64-bit network`(one: String, other: String, isSame: Bool) {
        let rate = ClientRate(1)
        let start = ContinuousClock.now
        #expect((0..<20).count { _ in rate.take(one, at: start) } == 10)
        #expect(rate.take(other, at: start) == !isSame)
    }

    @Test func `without a limit nobody is counted`() {
        let rate = ClientRate(0)
        let start = ContinuousClock.now
        #expect((0..<100_000).allSatisfy { _ in rate.take("192.0.2.1", at: start) })
    }

    @Test func `many clients cost a bounded amount and are still limited`() {
        let rate = ClientRate(1)
        let start = ContinuousClock.now
        for number in 0..<200_000 {
            #expect(rate.take("10.\(number >> 16).\(number >> 8 & 255).\(number & 255)", at: start))
        }
        #expect((0..<20).count { _ in rate.take("192.0.2.1", at: start) } == 10)
    }
}
