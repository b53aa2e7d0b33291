// SPDX-License-Identifier: Apache-2.0
import PinKit
import Testing

@Suite struct KeyTests {
    /// RFC 7515 A.3: an ES256 key, the signing input of the example and its signature.
    static let jwk: JSON = [
        "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    ]
    static let signed =
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    static let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"

    @Test func `a published ES256 signature verifies, and no changed one does`() throws {
        let key = try PublicKey(jwk: KeyTests.jwk)
        let signature = try #require(Base64URL.decode(KeyTests.signature))
        #expect(key.verifies(signature, over: Array(KeyTests.signed.utf8)))
        for index in signature.indices {
            var changed = signature
            changed[index] ^= 1
            #expect(!key.verifies(changed, over: Array(KeyTests.signed.utf8)))
        }
        #expect(!key.verifies(signature, over: Array(KeyTests.signed.utf8.dropLast())))
        #expect(!key.verifies(Array(signature.dropLast()), over: Array(KeyTests.signed.utf8)))
    }

    @Test func `a signing key survives its file and signs for its public key`() throws {
        let key = try SigningKey.generate()
        let read = try SigningKey(pem: key.pem())
        #expect(read.publicKey == key.publicKey)
        #expect(key.publicKey.verifies(try read.sign([1, 2, 3]), over: [1, 2, 3]))
    }

    @Test(arguments: ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
    func `what is no key is malformed`(text: String) {
        #expect(throws: PinError(.malformed)) { _ = try SigningKey(pem: SecretBytes(copyingPublic: Array(text.utf8))) }
    }

    @Test func `a point off the curve verifies nothing and gets no message`() throws {
        var jwk = KeyTests.jwk.object!
        jwk["y"] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a8"
        let key = try PublicKey(jwk: .object(jwk))
        #expect(!key.verifies([UInt8](repeating: 1, count: 64), over: []))
        #expect(throws: PinError(.failed)) { _ = try JWE.Draft(to: key, header: [:]) }
    }

    @Test func `a private key is not taken for a public one`() {
        var jwk = KeyTests.jwk.object!
        jwk["d"] = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
        #expect(throws: JSONError(place: "d", problem: "is a private key; expected a public one")) {
            _ = try PublicKey(jwk: .object(jwk))
        }
    }

    /// The three required members of RFC 7638 hashed by hand: printf of the JSON into `openssl dgst -sha256`.
    @Test func `the thumbprint hashes the required members only`() throws {
        var jwk = KeyTests.jwk.object!
        let plain = try PublicKey(jwk: .object(jwk)).thumbprint
        jwk["alg"] = "ECDH-ES+A256KW"
        jwk["kid"] = "anything"
        #expect(try PublicKey(jwk: .object(jwk)).thumbprint == plain)
        #expect(plain == "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U")
    }

    /// What names a key of a tang server: by libcrypto where it is a point with SHA-256, by libjose otherwise.
    @Test func `a key of a set has the thumbprint of its required members`() throws {
        #expect(KeySet.thumbprint(of: KeyTests.jwk, .sha256) == "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U")
        // RFC 7638 §3.1.
        let rsa: JSON = [
            "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
            "n": .string(
                "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
                    + "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5h"
                    + "ajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
            ),
        ]
        #expect(KeySet.thumbprint(of: rsa, .sha256) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")
        #expect(KeySet.thumbprint(of: KeyTests.jwk, .sha1)?.count == 27)
        #expect(KeySet.thumbprint(of: ["kty": "EC"], .sha256) == nil)
    }

    /// RFC 5869, appendix A.1.
    @Test func `HKDF gives the bytes of its RFC`() throws {
        let secret = SecretBytes(copyingPublic: [UInt8](repeating: 0x0b, count: 22))
        let key = try secret.hkdf(salt: Array(0...12), info: Array(0xf0...0xf9), count: 42)
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        let isTheirs = key.equals(SecretBytes(copyingPublic: Hex.decode(expected)!))
        #expect(isTheirs)
    }
}
