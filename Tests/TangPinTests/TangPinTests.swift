// SPDX-License-Identifier: Apache-2.0
import MemoryScan
import PinKit
import SSSPin
import TangPin
import TangServer
import Testing

private func encrypt(_ secret: String, _ configuration: JSON, pin: String = "tang", trusting: Bool = false) throws -> JWE {
    let registry = PinRegistry([TangPin { _, _ in trusting }, SSSPin()])
    let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
    let encryptor = try registry.encryptor(named: pin, for: configuration, in: binding)
    return try encryptor.encrypt(SecretBytes(copyingPublic: Array(secret.utf8)))
}

private func decrypt(_ message: JWE, milliseconds: Int = 10_000) throws -> String {
    let registry = PinRegistry([TangPin(), SSSPin()])
    let secret = try PolicyWalk(registry: registry, deadline: .after(milliseconds: milliseconds)).recover(message)
    return unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
}

@Suite struct TangPinTests {
    @Test func `a server that is trusted by its advertisement gives the secret back`() throws {
        let server = try Tangd()
        let message = try encrypt("hello", ["url": .string(server.url), "adv": server.advertisement()])
        #expect(try decrypt(message) == "hello")
    }

    @Test func `the header is that of clevis, to the letter`() throws {
        let server = try Tangd()
        let configuration: JSON = ["url": .string(server.url), "adv": try server.advertisement()]
        let ours = try encrypt("hello", configuration)
        let theirs = try JWE(compact: Tool.run(["clevis", "encrypt", "tang", configuration.compact], input: "hello"))
        var (header, expected) = (ours.header, theirs.header)
        #expect(ours.encryptedKey.isEmpty && theirs.encryptedKey.isEmpty)
        #expect(header["epk"]?.object?.names.sorted() == expected["epk"]?.object?.names.sorted())
        // The one part that differs from message to message.
        header["epk"] = nil
        expected["epk"] = nil
        #expect(JSON.object(header).canonical == JSON.object(expected).canonical)
        #expect(ours.protected.count == theirs.protected.count)
    }

    @Test func `stock clevis opens ours and we open its own`() throws {
        let server = try Tangd()
        // An address without a scheme is http to both.
        let configuration: JSON = ["url": .string(server.address), "thp": .string(try server.thumbprint())]
        #expect(try Tool.run(["clevis", "decrypt"], input: encrypt("ours", configuration).compact) == "ours")
        let theirs = try Tool.run(["clevis", "encrypt", "tang", configuration.compact], input: "theirs")
        #expect(try decrypt(JWE(compact: theirs)) == "theirs")
    }

    @Test(arguments: ["S256", "S1"]) func `a thumbprint is enough to trust`(hash: String) throws {
        let server = try Tangd()
        let thumbprint = try server.thumbprint(hash)
        #expect(try decrypt(encrypt("hello", ["url": .string(server.url), "thp": .string(thumbprint)])) == "hello")
    }

    @Test(arguments: ["", "garbage", String(repeating: "A", count: 64), String(repeating: "!", count: 43)])
    func `a thumbprint of another digest is malformed`(thumbprint: String) throws {
        let error = try #require(throws: PinError(.malformed)) {
            _ = try encrypt("hello", ["url": "http://127.0.0.1:1", "thp": .string(thumbprint)])
        }
        #expect(error.detail == "thp: must be a thumbprint in base64url: S256 (43 characters) or S1 (27)")
    }

    @Test func `another key's thumbprint is refused, fetched or given`() throws {
        let (server, other) = (try Tangd(), try Tangd())
        let thumbprint = JSON.string(try other.thumbprint())
        let fetched = try #require(throws: PinError(.refused)) {
            _ = try encrypt("hello", ["url": .string(server.url), "thp": thumbprint])
        }
        #expect(fetched.detail.hasSuffix("HTTP 404: the server has no key with this thp"))
        let given = try #require(throws: PinError(.refused)) {
            _ = try encrypt("hello", ["url": .string(server.url), "thp": thumbprint, "adv": server.advertisement()])
        }
        #expect(given.detail.contains("no signing key has thumbprint \(thumbprint.string!)"))
    }

    @Test func `a server that nobody vouches for is refused with what to add`() throws {
        let server = try Tangd()
        let error = try #require(throws: PinError(.refused)) { _ = try encrypt("hello", ["url": .string(server.url)]) }
        #expect(error.step == "adv")
        #expect(error.detail.contains(#"add "thp":"\#(try server.thumbprint())" to the configuration"#))
    }

    @Test func `a person may vouch for it`() throws {
        let server = try Tangd()
        #expect(try decrypt(encrypt("hello", ["url": .string(server.url)], trusting: true)) == "hello")
    }

    @Test func `an advertisement from a file is trusted and nobody is contacted`() throws {
        let server = try Tangd()
        let file = try server.keys.write(server.advertisement().compact, to: "adv.json")
        server.stop()
        let message = try encrypt("hello", ["url": .string(server.url), "adv": .string(file)])
        let error = try #require(throws: PinError(.malformed)) {
            _ = try encrypt("hello", ["url": .string(server.url), "adv": .string("\(file).none")])
        }
        #expect(error.detail.hasPrefix("adv: \(file).none: No such file"))
        #expect(message.pin == "tang")
    }

    @Test func `rotated keys still decrypt, and forgotten ones say to rebind`() throws {
        let server = try Tangd()
        let message = try encrypt("hello", ["url": .string(server.url)], trusting: true)
        try server.rotate()
        #expect(try decrypt(message) == "hello")
        try server.forget()
        let error = try #require(throws: PinError(.refused)) { _ = try decrypt(message) }
        #expect(error.step == "rec")
        #expect(error.detail.hasSuffix("HTTP 404: the server no longer has this key: rebind"))
    }

    @Test func `a stopped server is unavailable at once`() throws {
        let server = try Tangd()
        let message = try encrypt("hello", ["url": .string(server.url)], trusting: true)
        server.stop()
        let clock = ContinuousClock()
        let time = try clock.measure {
            let error = try #require(throws: PinError(.unavailable)) { _ = try decrypt(message) }
            #expect(error.description.contains("rec: \(server.url)/rec/"))
        }
        #expect(time < .seconds(3))
    }

    @Test func `a server that never answers ends at the deadline`() throws {
        let server = try Tangd()
        let silent = try Listener(running: "sleep 4")
        let message = try encrypt("hello", ["url": .string(silent.address), "adv": server.advertisement()])
        let clock = ContinuousClock()
        let time = clock.measure {
            #expect(throws: PinError(.unavailable)) { try decrypt(message, milliseconds: 500) }
        }
        #expect(time >= .milliseconds(400) && time < .seconds(3))
    }

    @Test func `two servers make a threshold, and one of them that is dead costs nothing`() throws {
        let (first, second, third) = (try Tangd(), try Tangd(), try Tangd())
        let children = try [first, second, third].map { server -> JSON in
            ["url": .string(server.url), "adv": try server.advertisement()]
        }
        let message = try encrypt("hello", ["t": 2, "pins": ["tang": .array(children)]], pin: "sss")
        first.stop()
        #expect(try decrypt(message) == "hello")
        #expect(try Tool.run(["clevis", "decrypt"], input: message.compact) == "hello")
        second.stop()
        #expect(throws: PinError(.unavailable)) { try decrypt(message) }
        #expect(third.url != second.url)
    }

    @Test func `a server that never answers costs nothing, and is named where others are not enough`() throws {
        let (first, second) = (try Tangd(), try Tangd())
        let silent = try Listener(running: "sleep 20")
        let adv = try first.advertisement()
        let children: [JSON] = try [
            ["url": .string(silent.address), "adv": adv], ["url": .string(first.url), "adv": adv],
            ["url": .string(second.url), "adv": second.advertisement()],
        ]
        let message = try encrypt("hello", ["t": 2, "pins": ["tang": .array(children)]], pin: "sss")
        let clock = ContinuousClock()
        let quick = try clock.measure { _ = try decrypt(message) }
        #expect(quick < .seconds(5))
        second.stop()
        let slow = try clock.measure {
            let error = try #require(throws: PinError(.unavailable)) { _ = try decrypt(message, milliseconds: 1000) }
            #expect(error.detail.contains("sss[0].tang: unavailable: rec: http://\(silent.address)/rec/"))
            #expect(error.detail.contains("sss[2].tang: unavailable: rec: \(second.url)/rec/"))
        }
        #expect(slow >= .milliseconds(900) && slow < .seconds(5))
    }

    @Test func `an error in a threshold says which server it is about`() throws {
        let server = try Tangd()
        let children: [JSON] = try [
            ["url": .string(server.url), "adv": server.advertisement()], ["url": "http://127.0.0.1:1"],
        ]
        let error = try #require(throws: PinError(.unavailable)) {
            _ = try encrypt("hello", ["t": 1, "pins": ["tang": .array(children)]], pin: "sss")
        }
        #expect(error.path == "sss[1].tang")
    }

    @Test func `recovering leaves no piece of the secret in memory`() throws {
        let server = try Tangd()
        let registry = PinRegistry([TangPin()])
        let configuration: JSON = ["url": .string(server.url), "adv": try server.advertisement()]
        let canary = try Canary()
        for _ in 0..<4 {
            let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
            let encryptor = try registry.encryptor(named: "tang", for: configuration, in: binding)
            let message = try encryptor.encrypt(canary.reveal())
            let recovered = try PolicyWalk(registry: registry, deadline: .after(seconds: 10)).recover(message)
            let isEqual = recovered.equals(canary.reveal())
            #expect(isEqual)
        }
        #expect(try canary.residues() == 0)
    }
}
