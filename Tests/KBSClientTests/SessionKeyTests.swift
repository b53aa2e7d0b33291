// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import EvidenceVectors
import KBSClient
import PinKit
import Testing

@Suite struct SessionKeyTests {
    @Test func `answers are asked for with members that servers know, and no others`() throws {
        let curve = try SessionKey(for: .v0_4_0).jwk.object
        #expect(curve?.names.sorted() == ["alg", "crv", "kty", "x", "y"] && curve?["alg"] == "ECDH-ES+A256KW")
        let legacy = try SessionKey(for: .v0_1_1).jwk.object
        #expect(legacy?.names.sorted() == ["alg", "e", "kty", "n"] && legacy?["alg"] == "RSA1_5")
        #expect(Base64URL.decode(legacy?["n"]?.string ?? "")?.count == 256)
    }

    @Test func `an answer to another key does not open`() throws {
        let (key, other) = (try SessionKey(for: .v0_2_0), try SessionKey(for: .v0_2_0))
        let answer = try JWE.Draft(to: CurvePoint(jwk: key.jwk)).seal(SecretBytes(copyingPublic: [1, 2, 3]))
        let body = Array(answer.flattened.compact.utf8)
        #expect(try bytes(key.open(body)) == [1, 2, 3])
        #expect(throws: PinError(.refused)) { _ = try other.open(body) }
    }

    static let header = #"{\"alg\":\"RSA1_5\",\"enc\":\"A256GCM\"}"#

    @Test(arguments: [
        "", "[]", "{}", #"{"protected":"e30","encrypted_key":"","iv":"","ciphertext":"","tag":""}"#,
        // A tag of its own; none at all; another algorithm; a nonce that is too short; a member too many.
        #"{"protected":"\#(header)","encrypted_key":"AA","iv":"AAAAAAAAAAAAAAAA","ciphertext":"AAAA","tag":"AAAA"}"#,
        #"{"protected":"\#(header)","encrypted_key":"AA","iv":"AAAAAAAAAAAAAAAA","ciphertext":"AAAA","tag":""}"#,
        #"{"protected":"{\"alg\":\"dir\",\"enc\":\"A256GCM\"}","encrypted_key":"AA","iv":"AAAAAAAAAAAAAAAA","ciphertext":"AAAAAAAAAAAAAAAAAAAAAAAA","tag":""}"#,
        #"{"protected":"\#(header)","encrypted_key":"AA","iv":"AAAA","ciphertext":"AAAAAAAAAAAAAAAAAAAAAAAA","tag":""}"#,
        #"{"protected":"\#(header)","encrypted_key":"AA","iv":"AAAAAAAAAAAAAAAA","ciphertext":"AAAAAAAAAAAAAAAAAAAAAAAA","tag":"","aad":""}"#,
    ])
    func `what has not the old form is malformed`(body: String) throws {
        #expect(throws: PinError(.malformed)) { _ = try SessionKey(for: .v0_1_1).open(Array(body.utf8)) }
    }

    @Test func `a key of another length than the modulus unwraps nothing`() throws {
        let body =
            #"{"protected":"\#(Self.header)","encrypted_key":"AA","iv":"AAAAAAAAAAAAAAAA","ciphertext":"AAAAAAAAAAAAAAAAAAAAAAAA","tag":""}"#
        #expect(throws: PinError(.refused)) { _ = try SessionKey(for: .v0_1_1).open(Array(body.utf8)) }
    }
}

/// `kbs/jwe` among the vectors: the forms of answers that this client asks for.
@Suite(.enabled(if: Vectors.present, "\(Vectors.missing)"))
struct SessionKeyVectorTests {
    @Test(arguments: ["ecdh-es-a256kw-p256", "reordered-header-rfc-valid", "rsa1_5-legacy-0.1.x"])
    func `an answer in the field's form opens`(name: String) throws {
        let vector = try Vectors.json("kbs/jwe/\(name).json")
        let secret = try #require(vector["tee_private_jwk"])
        let key: SessionKey =
            secret["kty"] == "RSA"
            ? .rsa(try LegacyResponseKey(pem: SecretBytes(copyingPublic: pem(secret))))
            : .ec(try AgreementKey(jwk: SecretBytes(copyingPublic: Array(secret.canonical.utf8))))
        let answer = try #require(vector["response"])
        #expect(Hex.encode(try bytes(key.open(Array(answer.compact.utf8)))) == vector["payload_hex"]?.string)
        for member in ["ciphertext", "encrypted_key", "iv"] {
            var changed = try #require(answer.object)
            let text = try #require(changed[member]?.string)
            changed[member] = .string((text.hasPrefix("A") ? "B" : "A") + text.dropFirst())
            let body = Array(JSON.object(changed).compact.utf8)
            #expect(throws: PinError(.refused), "\(member)") { _ = try key.open(body) }
        }
    }
}

/// The PEM of a private JWK (RFC 8017 §A.1.2).
private func pem(_ jwk: JSON) throws -> [UInt8] {
    func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 0xff)] + content
    }
    var numbers = element(2, [0])
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let number = try #require(jwk[name]?.string.flatMap { Base64URL.decode($0) })
        numbers += element(2, number[0] < 0x80 ? number : [0] + number)
    }
    let text = Base64.encode(element(0x30, numbers))
    let lines = stride(from: 0, to: text.utf8.count, by: 64).map { String(text.dropFirst($0).prefix(64)) }
    return Array("-----BEGIN RSA PRIVATE KEY-----\n\(lines.joined(separator: "\n"))\n-----END RSA PRIVATE KEY-----\n".utf8)
}

func bytes(_ secret: borrowing SecretBytes) -> [UInt8] { unsafe secret.withUnsafeBytes { unsafe [UInt8]($0) } }
