// SPDX-License-Identifier: Apache-2.0
import NullPin
import PinKit
import SSSPin
import Testing

private let registry = PinRegistry([NullPin(), SSSPin()])

private func encrypt(_ secret: String, _ configuration: JSON) throws -> JWE {
    let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
    let encryptor = try registry.encryptor(named: "sss", for: configuration, in: binding)
    return try encryptor.encrypt(SecretBytes(copyingPublic: Array(secret.utf8)))
}

private func decrypt(_ message: JWE) throws -> String {
    let secret = try PolicyWalk(registry: registry, deadline: .after(seconds: 10)).recover(message)
    return unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
}

@Suite struct SSSPinTests {
    @Test(arguments: [(1, 1), (1, 3), (2, 3), (3, 3), (5, 9)])
    func `any t of n shares give the secret back`(needed: Int, total: Int) throws {
        let works = JSON.array(Array(repeating: [:], count: needed))
        let fails = JSON.array(Array(repeating: ["fail": true], count: total - needed))
        var children = works.array! + fails.array!
        for _ in 0..<total {
            children.append(children.removeFirst())
            let message = try encrypt("hello", ["t": .integer(Int64(needed)), "pins": ["null": .array(children)]])
            #expect(try decrypt(message) == "hello")
        }
    }

    @Test func `one share too few is refused with every reason`() throws {
        let message = try encrypt("hello", ["t": 2, "pins": ["null": [[:], ["fail": true]]]])
        let error = #expect(throws: PinError(.refused)) { try decrypt(message) }
        #expect("\(error!)".hasPrefix("sss: refused: 1 of the 2 shares it needs: sss[1].null: refused: "))
    }

    @Test func `thresholds nest`() throws {
        let inner: JSON = ["t": 2, "pins": ["null": [[:], [:]]]]
        let message = try encrypt("hello", ["t": 2, "pins": ["null": [:], "sss": inner]])
        #expect(try decrypt(message) == "hello")
    }

    @Test(arguments: [
        (#"{"pins":{}}"#, "pins: must name from 1 to 32 pins"),
        (#"{"t":0,"pins":{"null":{}}}"#, "t: is 0; with 1 pins it must be from 1 to 1"),
        (#"{"t":2,"pins":{"null":{}}}"#, "t: is 2; with 1 pins it must be from 1 to 1"),
        (#"{"t":1}"#, "pins: is missing"),
        (#"{"pins":{"null":{}},"extra":1}"#, "unknown member extra"),
    ])
    func `a configuration that cannot work is malformed and says where`(text: String, reason: String) throws {
        let error = try #require(throws: PinError(.malformed)) { _ = try encrypt("x", JSON(parsing: text)) }
        #expect(error.detail == reason)
    }

    @Test func `an unknown pin inside is named with its place and those that exist`() throws {
        let error = try #require(throws: PinError(.malformed)) {
            _ = try encrypt("x", ["pins": ["null": [:], "tung": [:]]])
        }
        #expect("\(error)" == "sss[1].tung: malformed: unknown pin tung: this program has null, sss")
    }
}
