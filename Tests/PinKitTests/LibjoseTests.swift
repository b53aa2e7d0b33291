// SPDX-License-Identifier: Apache-2.0
import PinKit
import TangServer
import Testing

/// Messages to a key, held beside libjose's program.
@Suite struct LibjoseTests {
    @Test(arguments: ["P-256", "P-384", "P-521"]) func `libjose opens what is sealed to a key`(curve: String) throws {
        let folder = try Folder()
        var members = try #require(generate(curve, in: folder).object)
        members["d"] = nil
        let draft = try JWE.Draft(to: CurvePoint(jwk: .object(members)))
        let message = try draft.seal(SecretBytes(copyingPublic: Array("hello".utf8)))
        let file = try folder.write(message.flattened.compact, to: "message")
        #expect(try Tool.run(["jose", "jwe", "dec", "-i", file, "-k", "\(folder.path)/key", "-O-"]) == "hello")
    }

    @Test func `a private key that libjose made is read, and written the same`() throws {
        let key = try generate("P-256", in: Folder())
        let read = try AgreementKey(jwk: SecretBytes(copyingPublic: Array(key.compact.utf8)))
        let written = try JSON(parsing: bytes(of: read.jwk()))
        #expect(["crv", "d", "kty", "x", "y"].allSatisfy { written[$0] == key[$0] })
    }

    @Test func `a private key whose point is another's is malformed`() throws {
        var members = try #require(generate("P-256", in: Folder()).object)
        let other = try generate("P-256", in: Folder())
        members["d"] = other["d"]
        let text = JSON.object(members).compact
        #expect(throws: PinError(.malformed)) { _ = try AgreementKey(jwk: SecretBytes(copyingPublic: Array(text.utf8))) }
    }

    private func generate(_ curve: String, in folder: Folder) throws -> JSON {
        let template = #"{"crv":"\#(curve)","kty":"EC"}"#
        let text = try Tool.run(["jose", "jwk", "gen", "-i", template, "-o-"])
        _ = try folder.write(text, to: "key")
        return try JSON(parsing: text)
    }
}
