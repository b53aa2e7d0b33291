// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

private let header: JSONObject = ["clevis": ["pin": "test", "test": [:]]]

private func secret(_ text: String) -> SecretBytes { SecretBytes(copyingPublic: Array(text.utf8)) }

@Suite struct JWETests {
    @Test func `a direct message opens with its key in both forms`() throws {
        let key = try SecretBytes.random(count: 32)
        let message = try JWE.encrypt(secret("hello"), contentKey: key, header: header)
        #expect(bytes(of: try JWE(compact: message.compact).decrypt(contentKey: key)) == Array("hello".utf8))
        #expect(try JWE(flattened: message.flattened) == message)
        #expect(message.flattened.object?.names == ["ciphertext", "encrypted_key", "iv", "protected", "tag"])
    }

    @Test func `the header is the text that clevis writes`() throws {
        let message = try JWE.encrypt(secret("x"), contentKey: SecretBytes.random(count: 32), header: header)
        #expect(
            Base64URL.decode(message.protected)
                == Array(#"{"alg":"dir","clevis":{"pin":"test","test":{}},"enc":"A256GCM"}"#.utf8))
    }

    @Test func `a message to a key opens with it, and only with it`() throws {
        let key = try AgreementKey.generate()
        let message = try JWE.Draft(to: key.publicKey, header: header).seal(secret("hello"))
        #expect(message.header.names.sorted() == ["alg", "clevis", "enc", "epk", "kid"])
        let read = try AgreementKey(jwk: key.jwk())
        #expect(bytes(of: try message.open(with: read)) == Array("hello".utf8))
        #expect(throws: PinError(.refused)) { _ = try message.open(with: AgreementKey.generate()) }
    }

    @Test func `every changed character is noticed`() throws {
        let key = try AgreementKey.generate()
        let text = Array(try JWE.Draft(to: key.publicKey, header: header).seal(secret("hello")).compact.utf8)
        for index in text.indices {
            var changed = text
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(throws: PinError.self) {
                _ = try JWE(compact: String(decoding: changed, as: UTF8.self)).open(with: key)
            }
        }
    }

    @Test(arguments: ["RSA1_5", "PBES2-HS256+A128KW", "A256KW", "none"])
    func `the header does not choose the algorithm`(algorithm: String) throws {
        let key = try SecretBytes.random(count: 32)
        let message = try JWE.encrypt(secret("x"), contentKey: key, header: header)
        var changed = message.header
        changed["alg"] = .string(algorithm)
        let protected = Base64URL.encode(Array(JSON.object(changed).canonical.utf8))
        let parts = message.compact.split(separator: ".", omittingEmptySubsequences: false).dropFirst()
        let forged = try JWE(compact: ([protected] + parts.map(String.init)).joined(separator: "."))
        #expect(throws: PinError(.malformed)) { _ = try forged.decrypt(contentKey: key) }
        #expect(throws: PinError(.malformed)) { _ = try forged.open(with: AgreementKey.generate()) }
    }

    @Test(arguments: ["zip", "crit", "p2c"]) func `a header that asks for more is malformed`(name: String) throws {
        let key = try SecretBytes.random(count: 32)
        var header = header
        header[name] = "DEF"
        let message = try JWE.encrypt(secret("x"), contentKey: key, header: header)
        #expect(throws: PinError(.malformed)) { _ = try message.decrypt(contentKey: key) }
    }

    @Test(arguments: [
        "", "a.b.c", "e30..AAAAAAAAAAAAAAAA.AA.AAAA", "e30.....", "!!!..AAAAAAAAAAAAAAAA.AA.AAAAAAAAAAAAAAAAAAAAAA",
    ])
    func `what is no message is malformed`(text: String) {
        #expect(throws: PinError(.malformed)) { _ = try JWE(compact: text) }
    }

    @Test func `nothing cannot be encrypted, since it could not be decrypted`() throws {
        let key = try SecretBytes.random(count: 32)
        #expect(throws: PinError(.malformed)) {
            _ = try JWE.encrypt(SecretBytes(copyingPublic: []), contentKey: key, header: header)
        }
    }
}
