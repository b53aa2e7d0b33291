// SPDX-License-Identifier: Apache-2.0
import PinKit
import TangPin
import TangServer
import Testing

private let registry = PinRegistry([TangPin { _, _ in true }])

private func encrypt(_ configuration: JSON) throws -> JWE {
    let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
    let encryptor = try registry.encryptor(named: "tang", for: configuration, in: binding)
    return try encryptor.encrypt(SecretBytes(copyingPublic: Array("hello".utf8)))
}

private func decrypt(_ message: JWE) throws {
    _ = try PolicyWalk(registry: registry, deadline: .after(seconds: 10)).recover(message)
}

/// Somebody on the way, who says this to everybody.
private func impostor(_ status: String, _ body: String, in folder: Folder) throws -> Listener {
    let head = "HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
    let file = try folder.write(head + body, to: "answer")
    // It reads the request first, as a server does, so that closing does not reset the connection.
    return try Listener(running: "timeout 0.3 cat >/dev/null; cat \(file)")
}

/// Keys of any kind with a signature by each of `signers`, made by the jose program.
private struct Keys {
    let folder: Folder

    func make(_ template: JSON) throws -> JSON {
        try JSON(parsing: Tool.run(["jose", "jwk", "gen", "-i", template.compact]))
    }

    func advertisement(of keys: [JSON], signedBy signers: [JSON]) throws -> JSON {
        let set = try folder.write(JSON.object(["keys": .array(keys)]).compact, to: "private.json")
        let payload = try Tool.run(["jose", "jwk", "pub", "-s", "-i", set])
        var command = ["jose", "jws", "sig", "-I-"]
        for (index, signer) in signers.enumerated() {
            command += ["-s", "{}", "-k", try folder.write(signer.compact, to: "signer\(index).json")]
        }
        return try JSON(parsing: Tool.run(command, input: payload))
    }
}

@Suite struct HostileTests {
    private let somewhere: JSON = "http://127.0.0.1:1"

    @Test(arguments: ["P-256", "P-384", "P-521"]) func `keys on each curve make a message`(curve: String) throws {
        let keys = Keys(folder: try Folder())
        let (signer, exchange) = (try keys.make(["alg": "ES256"]), try keys.make(["alg": "ECMR", "crv": .string(curve)]))
        let adv = try keys.advertisement(of: [signer, exchange], signedBy: [signer])
        let message = try encrypt(["url": somewhere, "adv": adv])
        #expect(message.header["epk"]?["crv"]?.string == curve)
    }

    @Test func `two signers must both have signed`() throws {
        let keys = Keys(folder: try Folder())
        let (first, second) = (try keys.make(["alg": "ES512"]), try keys.make(["alg": "ES256"]))
        let set = [first, second, try keys.make(["alg": "ECMR"])]
        let both = try keys.advertisement(of: set, signedBy: [first, second])
        #expect(both["signatures"]?.array?.count == 2)
        #expect(try encrypt(["url": somewhere, "adv": both]).pin == "tang")
        let one = try keys.advertisement(of: set, signedBy: [first])
        #expect(throws: PinError(.refused)) { try encrypt(["url": somewhere, "adv": one]) }
    }

    @Test func `a changed advertisement is refused`() throws {
        let (server, other) = (try Tangd(), try Tangd())
        var members = try #require(try server.advertisement().object)
        members["payload"] = try other.advertisement()["payload"]
        #expect(throws: PinError(.refused)) { try encrypt(["url": somewhere, "adv": .object(members)]) }
        members = try #require(try server.advertisement().object)
        members["signature"] = nil
        #expect(throws: PinError(.refused)) { try encrypt(["url": somewhere, "adv": .object(members)]) }
    }

    @Test func `a key that everybody can sign with vouches for nothing`() throws {
        let keys = Keys(folder: try Folder())
        let shared = try keys.make(["alg": "HS256"])
        let set = [shared, try keys.make(["alg": "ECMR"])]
        var adv = try #require(try keys.advertisement(of: [set[1]], signedBy: [shared]).object)
        adv["payload"] = .string(Base64URL.encode(Array(JSON.object(["keys": .array(set)]).compact.utf8)))
        #expect(throws: PinError(.malformed)) { try encrypt(["url": somewhere, "adv": .object(adv)]) }
    }

    @Test(arguments: [
        ("404 Not Found", "", "HTTP 404", PinError.Code.refused),
        ("301 Moved Permanently", "", "HTTP 301", .unavailable),
        ("500 Internal Server Error", "", "HTTP 500", .unavailable),
        ("200 OK", "<html>", "not a tang server's answer", .refused),
        ("200 OK", "[]", "not an advertisement", .malformed),
        ("200 OK", #"{"payload":"e30"}"#, "keys: is missing", .malformed),
        ("200 OK", #"{"payload":"\#(String(repeating: "A", count: 64 << 10))"}"#, "more than the 65536 allowed", .refused),
    ])
    func `an advertisement that is none is said to be so`(
        status: String, body: String, reason: String, code: PinError.Code
    ) throws {
        let folder = try Folder()
        let server = try impostor(status, body, in: folder)
        let error = try #require(throws: PinError(code)) { _ = try encrypt(["url": .string(server.address)]) }
        #expect(error.step == "adv")
        #expect(error.detail.hasPrefix("http://\(server.address)/adv/: "))
        #expect(error.detail.contains(reason))
    }

    private static let ones = String(repeating: "A", count: 87) + "B"

    @Test(arguments: [
        ("200 OK", #"{"alg":"ECMR","crv":"P-521","kty":"EC","x":"\#(ones)","y":"\#(ones)"}"#, PinError.Code.refused),
        ("200 OK", #"{"alg":"ECMR","crv":"P-256","kty":"EC","x":"AA","y":"AA"}"#, .refused),
        ("200 OK", #"{"kty":"oct","k":"AA"}"#, .refused),
        ("200 OK", "\0\u{1}garbage", .refused),
        ("400 Bad Request", "", .refused),
        ("503 Service Unavailable", "", .unavailable),
    ])
    func `an answer that is no point gives nothing`(status: String, body: String, code: PinError.Code) throws {
        let folder = try Folder()
        let server = try impostor(status, body, in: folder)
        let message = try encrypt(["url": .string(server.address), "adv": Tangd().advertisement()])
        let error = try #require(throws: PinError(code)) { try decrypt(message) }
        #expect(error.step == "rec")
    }

    @Test func `an answer with another point gives nothing`() throws {
        let tangd = try Tangd()
        let message = try encrypt(["url": .string(tangd.url), "adv": tangd.advertisement()])
        let point = try #require(message.header["epk"])
        let folder = try Folder()
        let server = try impostor("200 OK", point.compact, in: folder)
        let redirected = try encrypt(["url": .string(server.address), "adv": tangd.advertisement()])
        #expect(throws: PinError(.refused)) { try decrypt(redirected) }
    }

    @Test(arguments: [
        (#"{"url":"http://x","adv":{"keys":[]}}"#, "clevis.tang.adv.keys: must hold from 1 to 32 keys, not 0"),
        (#"{"adv":{"keys":[{}]}}"#, "clevis.tang.url: is missing"),
        (#"{"url":"http://x","adv":{"keys":[{"kty":"EC"}]}}"#, "kid: names no key of clevis.tang.adv"),
    ])
    func `a header that names no server or key is malformed`(parameters: String, reason: String) throws {
        let header: JSONObject = [
            "clevis": ["pin": "tang", "tang": try JSON(parsing: parameters)],
            "kid": .string(String(repeating: "A", count: 43)),
        ]
        let message = try JWE.encrypt(
            SecretBytes(copyingPublic: [1]), contentKey: SecretBytes.random(count: 32), header: header)
        let error = try #require(throws: PinError(.malformed)) { try decrypt(message) }
        #expect(error.detail == reason)
    }
}
