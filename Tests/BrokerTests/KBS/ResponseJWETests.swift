// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import COpenSSL
import Foundation
import PinKit
import Testing

/// Opened with jose's program, which shares no code with what wrote them.
@Suite struct ResponseJWETests {
    let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory() }

    private func jose(_ arguments: [String], input: String = "") throws -> String {
        let output = try BrokerProcess.run("/usr/bin/jose", arguments, input: input)
        guard output.status == 0 else { throw Missing(what: "jose's success: \(output.errors)") }
        return output.output
    }

    @discardableResult
    private func openssl(_ arguments: [String]) throws -> String {
        let output = try BrokerProcess.run("/usr/bin/openssl", arguments)
        guard output.status == 0 else { throw Missing(what: "openssl's success: \(output.errors)") }
        return output.output
    }

    private func decrypt(_ answer: JSON, _ key: [UInt8]) throws -> String {
        let data = try Array(string(answer, "protected").utf8)
        let iv = try Base64URL.decode(string(answer, "iv")).orThrow("base64url")
        let ciphertext = try Base64URL.decode(string(answer, "ciphertext")).orThrow("base64url")
        var tag = try Base64URL.decode(string(answer, "tag")).orThrow("base64url")
        var plaintext = [UInt8](repeating: 0, count: ciphertext.count)
        var count: Int32 = 0
        let context = unsafe EVP_CIPHER_CTX_new()
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        guard key.count == 32, iv.count == 12, tag.count == 16,
            unsafe EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, key, iv) == 1,
            unsafe EVP_DecryptUpdate(context, nil, &count, data, Int32(data.count)) == 1,
            unsafe EVP_DecryptUpdate(context, &plaintext, &count, ciphertext, Int32(ciphertext.count)) == 1,
            unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, &tag) == 1,
            unsafe EVP_DecryptFinal_ex(context, &plaintext, &count) == 1
        else { throw Missing(what: "a tag that fits") }
        return String(decoding: plaintext, as: UTF8.self)
    }

    /// A private key in a file, and the public one as a client sends it.
    private func key(_ template: String, _ algorithm: String) throws -> (file: String, publicKey: JSON) {
        let file = scratch.path + "/key.jwk"
        try jose(["jwk", "gen", "-i", template]).write(toFile: file, atomically: false, encoding: .utf8)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        let members = try JSON(parsing: text).object.orThrow("a key")
        var publicKey: JSONObject = ["alg": .string(algorithm)]
        for name in ["kty", "crv", "x", "y", "n", "e"] { publicKey[name] = members[name] }
        return (file, .object(publicKey))
    }

    @Test(arguments: ["P-256", "P-384", "P-521"], KBSVersion.allCases)
    func `a key on a curve gets the form and the member order that clients open`(
        curve: String, version: KBSVersion
    ) throws {
        let (file, key) = try key(#"{"kty":"EC","crv":"\#(curve)"}"#, "ECDH-ES+A256KW")
        let answer = try seal(to: key, version)
        #expect(try jose(["jwe", "dec", "-i", "-", "-k", file], input: answer.canonical) == "a resource")
        let header = try String(decoding: Base64URL.decode(string(answer, "protected")).orThrow("a header"), as: UTF8.self)
        #expect(header.hasPrefix(#"{"alg":"ECDH-ES+A256KW","enc":"A256GCM","epk":{"crv":"\#(curve)","kty":"EC","x":""#))
        #expect(try JSON(parsing: header).object?.names == ["alg", "enc", "epk"])
        #expect(answer.object?.names.sorted() == ["ciphertext", "encrypted_key", "iv", "protected", "tag"])
    }

    @Test func `an RSA key gets RSA-OAEP-256`() throws {
        // jose does not know it: openssl's program opens the key, and libcrypto the rest.
        let file = scratch.path + "/key.pem"
        try openssl(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", file])
        let modulus = try openssl(["rsa", "-in", file, "-noout", "-modulus"]).dropFirst("Modulus=".count)
        let n = try Hex.decode(modulus.lowercased().filter(\.isHexDigit)).orThrow("a modulus")
        let answer = try seal(
            to: ["kty": "RSA", "alg": "RSA-OAEP-256", "n": .string(Base64URL.encode(n)), "e": "AQAB"], .v0_4_0)
        let wrapped = scratch.path + "/wrapped"
        try Data(Base64URL.decode(string(answer, "encrypted_key")).orThrow("base64url")).write(
            to: URL(fileURLWithPath: wrapped))
        try openssl(
            ["pkeyutl", "-decrypt", "-inkey", file, "-in", wrapped, "-out", wrapped + ".key"]
                + ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"].flatMap { ["-pkeyopt", $0] })
        let key = try Array(Data(contentsOf: URL(fileURLWithPath: wrapped + ".key")))
        #expect(try decrypt(answer, key) == "a resource")
        let header = try Base64URL.decode(string(answer, "protected")).orThrow("a header")
        #expect(String(decoding: header, as: UTF8.self) == #"{"alg":"RSA-OAEP-256","enc":"A256GCM"}"#)
    }

    @Test func `a client of 0.1.1 gets RSA1_5 in the form of its time`() throws {
        let (file, key) = try key(#"{"kty":"RSA","bits":2048}"#, "RSA1_5")
        let answer = try seal(to: key, .v0_1_1)
        #expect(try string(answer, "protected") == #"{"alg":"RSA1_5","enc":"A256GCM"}"# && string(answer, "tag") == "")
        // The same as RFC 7516 has it: nothing is protected, and the tag by itself.
        let sealed = try Base64URL.decode(string(answer, "ciphertext")).orThrow("base64url")
        let standard: JSON = [
            "unprotected": try JSON(parsing: string(answer, "protected")), "iv": answer["iv"] ?? .null,
            "encrypted_key": answer["encrypted_key"] ?? .null,
            "ciphertext": .string(Base64URL.encode(sealed.dropLast(16))),
            "tag": .string(Base64URL.encode(sealed.suffix(16))),
        ]
        #expect(try jose(["jwe", "dec", "-i", "-", "-k", file], input: standard.canonical) == "a resource")
    }

    @Test(arguments: [KBSVersion.v0_2_0, .v0_4_0])
    func `RSA1_5 is for those who know no other`(version: KBSVersion) throws {
        let key = try key(#"{"kty":"RSA","bits":2048}"#, "RSA1_5").publicKey
        #expect(throws: JSONError.self) { try GuestTEEKey(key, of: version) }
    }

    @Test(
        arguments: [
            .null, [:], ["kty": "EC", "alg": "ECDH-ES+A256KW", "crv": "P-256", "x": "AA", "y": "AA"],
            ["kty": "EC", "alg": "ECDH-ES", "crv": "P-256"],
            ["kty": "RSA", "alg": "RSA-OAEP-256", "n": "AQAB", "e": "AQAB"],
        ] as [JSON])
    func `what is no key is malformed`(key: JSON) {
        #expect(throws: JSONError.self) { try GuestTEEKey(key, of: .v0_4_0) }
    }

    @Test func `a point that is not on its curve is malformed`() throws {
        let key: JSON = [
            "kty": "EC", "alg": "ECDH-ES+A256KW", "crv": "P-256",
            "x": .string(Base64URL.encode([UInt8](repeating: 1, count: 32))),
            "y": .string(Base64URL.encode([UInt8](repeating: 1, count: 32))),
        ]
        #expect(throws: PinError.self) { try seal(to: key, .v0_4_0) }
    }

    private func seal(to key: JSON, _ version: KBSVersion) throws -> JSON {
        try ResponseJWE.seal(
            SecretBytes(copyingPublic: Array("a resource".utf8)), to: GuestTEEKey(key, of: version), of: version)
    }

    private func string(_ json: JSON, _ name: String) throws -> String { try (json[name]?.string).orThrow(name) }
}
