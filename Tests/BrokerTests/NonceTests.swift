// SPDX-License-Identifier: Apache-2.0
import Broker
import PinKit
import Testing

@Suite struct NonceTests {
    let key: SecretBytesBox
    let desk: NonceDesk

    init() throws {
        key = try SecretBytesBox()
        desk = try key.desk()
    }

    @Test func `a nonce is 32 bytes, and no two are the same`() throws {
        let nonces = try (0..<100).map { _ in try desk.issue(at: 1000) }
        #expect(nonces.allSatisfy { $0.count == 32 })
        #expect(Set(nonces).count == 100)
    }

    @Test(arguments: [0, 1, 60] as [Int64])
    func `a nonce is good for sixty seconds`(age: Int64) throws {
        try desk.redeem(try desk.issue(at: 1000), at: 1000 + age)
    }

    @Test(arguments: [61, 3600, 1 << 32] as [Int64])
    func `an old nonce is expired, and the reason says how old`(age: Int64) throws {
        let nonce = try desk.issue(at: 1000)
        let rejection = #expect(throws: NonceDesk.Rejection.self) { try desk.redeem(nonce, at: 1000 + age) }
        #expect(rejection?.reason == "the nonce expired: it is \(age) s old and lived 60 s")
    }

    @Test func `a nonce from a replica whose clock is a little ahead is good`() throws {
        try desk.redeem(try desk.issue(at: 1005), at: 1000)
        let early = try desk.issue(at: 1006)
        #expect(throws: NonceDesk.Rejection.self) { try desk.redeem(early, at: 1000) }
    }

    @Test func `a nonce serves once`() throws {
        let nonce = try desk.issue(at: 1000)
        try desk.redeem(nonce, at: 1001)
        let rejection = #expect(throws: NonceDesk.Rejection.self) { try desk.redeem(nonce, at: 1002) }
        #expect(rejection?.reason == "the nonce was used before: ask for a new one with auth")
    }

    @Test func `a nonce serves once even when the memory turned over in between`() throws {
        let nonce = try desk.issue(at: 1000)
        try desk.redeem(nonce, at: 1000)
        try desk.redeem(try desk.issue(at: 1060), at: 1060)
        #expect(throws: NonceDesk.Rejection.self) { try desk.redeem(nonce, at: 1060) }
    }

    @Test(arguments: 0..<32)
    func `a nonce with a changed byte is nobody's`(index: Int) throws {
        var nonce = try desk.issue(at: 1000)
        nonce[index] ^= 1
        let rejection = #expect(throws: NonceDesk.Rejection.self) { try desk.redeem(nonce, at: 1000) }
        #expect(rejection?.reason == "the nonce is not one of this broker's: ask for one with auth")
    }

    @Test(arguments: [0, 12, 28, 31, 33, 64])
    func `a nonce of another length is nobody's`(count: Int) {
        let nonce = [UInt8](repeating: 7, count: count)
        #expect(throws: NonceDesk.Rejection.self) { try desk.redeem(nonce, at: 1000) }
    }

    @Test func `a replica with the same key takes the nonce, one with another key does not`() throws {
        let nonce = try desk.issue(at: 1000)
        try key.desk().redeem(nonce, at: 1001)
        let stranger = try SecretBytesBox().desk()
        #expect(throws: NonceDesk.Rejection.self) { try stranger.redeem(nonce, at: 1001) }
    }

    /// Made with another implementation (Python's cryptography): key 00…1f, IV 20…2b, time 1700000000.
    @Test func `the form on the wire is docs/spec/broker.md's`() throws {
        let sealer = try NonceSealer(key: SecretBytes(copyingPublic: Array(0..<32))).orThrow("a key of 32 bytes")
        let nonce = try Hex.decode("202122232425262728292a2bd2cbf5157bf88f1231d0afd790686a1260f16e1b").orThrow("hex")
        #expect(sealer.open(nonce) == 1_700_000_000)
    }

    @Test func `a key of another length is refused`() {
        #expect(NonceSealer(key: SecretBytes(copyingPublic: [1, 2, 3])) == nil)
    }
}

/// A nonce key that several sealers of a test share.
struct SecretBytesBox: Sendable {
    private let bytes: [UInt8]

    init() throws { bytes = try Random.bytes(32) }

    func sealer() throws -> NonceSealer {
        try NonceSealer(key: SecretBytes(copyingPublic: bytes)).orThrow("a key of 32 bytes")
    }

    /// A desk of a broker whose other keys do not matter.
    func desk() throws -> NonceDesk {
        let sealer = try Sealer(key: .random(count: 32))
        return NonceDesk(
            KeyRing(
                fixed: BrokerKeys(
                    envelopes: KeyGenerations(current: try .generate()), nonces: KeyGenerations(current: try self.sealer()),
                    sessions: KeyGenerations(current: sealer), tokens: KeyGenerations(current: try .generate()),
                    resources: sealer, audit: try .generate())))
    }
}
