// SPDX-License-Identifier: Apache-2.0
import MemoryScan
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
        // How many had come by then is a matter of which thread was first.
        #expect("\(error!)".contains(" of the 2 shares it needs: sss[1].null: refused: decrypt: it was made to fail"))
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

    /// Shares come from the disk and the network.
    @Test(arguments: [
        ([point(0, 1), point(2, 1)], "its place is 0"),
        ([point(2, 1), point(2, 3)], "two shares at the same place"),
        ([point(1, 1), Array(point(2, 1).dropLast())], "63 bytes, not 64"),
        ([point(1, 1), [UInt8](repeating: 0xff, count: 64)], "not a point of the field"),
    ])
    func `a share that is no point of the field is malformed`(points: [[UInt8]], reason: String) throws {
        let message = try encrypt("hello", ["t": 2, "pins": ["null": [[:], [:]]]])
        var shares = Shares()
        for point in points { shares.append(SecretBytes(copyingPublic: point)) }
        do throws(PinError) {
            _ = try SSSPin().combine(shares, of: message)
            Issue.record("combined")
        } catch {
            #expect(error == PinError(.malformed))
            #expect(error.detail == reason)
        }
    }

    @Test func `shares of another secret are refused`() throws {
        let message = try encrypt("hello", ["t": 2, "pins": ["null": [[:], [:]]]])
        var shares = Shares()
        for index in [1, 2] as [UInt8] { shares.append(SecretBytes(copyingPublic: point(index, 7))) }
        do throws(PinError) {
            _ = try SSSPin().combine(shares, of: message)
            Issue.record("combined")
        } catch {
            #expect(error == PinError(.refused))
        }
    }

    @Test(arguments: [#"{"jwe":[],"p":"Aw","t":1}"#, #"{"jwe":["x"],"t":1}"#, #"{"jwe":["e30....."],"p":"AA","t":1}"#])
    func `a header that is no policy is malformed`(parameters: String) throws {
        let members: JSON = ["pin": "sss", "sss": try JSON(parsing: parameters)]
        let message = try JWE.encrypt(
            SecretBytes(copyingPublic: [1]), contentKey: SecretBytes.random(count: 32), header: ["clevis": members])
        #expect(throws: PinError(.malformed)) { _ = try SSSPin().threshold(of: message) }
    }

    @Test(
        arguments: [
            ("null", [:]), ("sss", ["t": 2, "pins": ["null": [:], "sss": ["pins": ["null": [[:], [:]]]]]]),
        ] as [(String, JSON)])
    func `recovering leaves no piece of the secret in memory`(pin: String, policy: JSON) throws {
        let canary = try Canary()
        for _ in 0..<8 {
            let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
            let encryptor = try registry.encryptor(named: pin, for: policy, in: binding)
            let message = try encryptor.encrypt(canary.reveal())
            let recovered = try PolicyWalk(registry: registry, deadline: .after(seconds: 10)).recover(message)
            let isEqual = recovered.equals(canary.reveal())
            #expect(isEqual)
        }
        #expect(try canary.residues() == 0)
    }

    @Test func `a field that is no prime is malformed`() throws {
        let message = try encrypt("hello", ["pins": ["null": [:]]])
        var parameters = try #require(message.parameters?.object)
        parameters["p"] = .string(Base64URL.encode([UInt8](repeating: 0xff, count: 32)))
        let forged = try JWE.encrypt(
            SecretBytes(copyingPublic: [1]), contentKey: SecretBytes.random(count: 32),
            header: ["clevis": ["pin": "sss", "sss": .object(parameters)]])
        var shares = Shares()
        shares.append(SecretBytes(copyingPublic: point(1, 1)))
        do throws(PinError) {
            _ = try SSSPin().combine(shares, of: forged)
            Issue.record("combined")
        } catch {
            #expect(error.detail == "p is not a prime")
        }
    }
}

/// x ‖ y with small coordinates.
private func point(_ x: UInt8, _ y: UInt8) -> [UInt8] {
    [UInt8](repeating: 0, count: 31) + [x] + [UInt8](repeating: 0, count: 31) + [y]
}
