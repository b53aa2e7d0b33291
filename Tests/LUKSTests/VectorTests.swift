// SPDX-License-Identifier: Apache-2.0
import Foundation
import LUKS
import PinKit
import Testing

private let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

private func file(_ path: String) throws -> JSON {
    try JSON(parsing: Array(try Data(contentsOf: root.appending(path: path))))
}

/// Tests/Vectors/binding.json, which cryptsetup, clevis and another implementation of docs/spec/luks-token.md made.
@Suite struct VectorTests {
    let vector: JSON
    let header: Header
    let token: ClevisToken
    let owner: PublicKey

    init() throws {
        vector = try file("Tests/Vectors/binding.json")
        let uuid = try #require(vector["uuid"]?.string)
        let size = try #require(vector["metadata_size"]?.integer)
        header = try Header(metadata: #require(vector["metadata"]), uuid: uuid, areaSize: Int(size))
        let json = try #require(header.tokens[0])
        let token = try ClevisToken(json)
        self.token = try #require(token)
        owner = try PublicKey(jwk: #require(vector["owner"]))
    }

    @Test func `the statement is the one that was signed`() throws {
        let statement = try BindingStatement(token, in: header)
        #expect(statement.json == vector["statement"])
        #expect(Hex.encode(statement.message) == vector["signature_input"]?.string)
    }

    @Test func `the owner's signature verifies, another's does not`() throws {
        try token.verify(owner: owner, in: header)
        let stranger = try SigningKey.generate().publicKey
        #expect(throws: LUKSError(.refused)) { try token.verify(owner: stranger, in: header) }
    }

    @Test func `what the token keeps of the configuration is signed with the rest`() throws {
        let other = try #require(vector["with_config"])
        var json = token.json
        json.set("cvm-clevis", to: other["cvm-clevis"])
        let parsed = try ClevisToken(json)
        let token = try #require(parsed)
        #expect(token.json == json)
        let statement = try BindingStatement(token, in: header)
        #expect(statement.json == other["statement"])
        #expect(Hex.encode(statement.message) == other["signature_input"]?.string)
        try token.verify(owner: PublicKey(jwk: #require(other["owner"])), in: header)
    }

    @Test func `the policy gives the passphrase back`() throws {
        let registry = try Owner().registry
        let secret = try PolicyWalk(registry: registry, deadline: .after(seconds: 5)).recover(token.jwe)
        #expect(secret.equals(SecretBytes(try #require(vector["secret"]?.string))))
    }

    @Test func `a token is written with the members it was read with`() throws {
        #expect(token.json == header.tokens[0])
    }
}

/// The schemas name the members that are written, and no others.
@Suite struct SchemaTests {
    private func members(_ schema: JSON?) -> [String] { (schema?["properties"]?.object?.names ?? []).sorted() }

    @Test func `the token's schema names its members`() throws {
        let schema = try file("luks-tokens/clevis-token.schema.json")
        var token = try file("Tests/Vectors/binding.json")["metadata"]?["tokens"]?["0"]
        token?.set("cvm-clevis", to: try file("Tests/Vectors/binding.json")["with_config"]?["cvm-clevis"])
        #expect(members(schema) == token?.object?.names.sorted())
        #expect(members(schema["properties"]?["cvm-clevis"]) == token?["cvm-clevis"]?.object?.names.sorted())
        let config = token?["cvm-clevis"]?["config"]
        #expect(
            members(schema["properties"]?["cvm-clevis"]?["properties"]?["config"]) == config?.object?.names.sorted())
        #expect(members(schema["properties"]?["jwe"]) == ((token?["jwe"]?.object?.names ?? []) + ["header"]).sorted())
    }

    @Test func `the boot configuration's schema names its members`() throws {
        let schema = try file("docs/spec/boot-config.schema.json")
        let config = BootConfigTests.config(BootConfigTests.volume)
        #expect(members(schema) == config.object?.names.sorted())
        let names = BootConfigTests.volume.object?.names ?? []
        #expect(members(schema["$defs"]?["volume"]) == (names + ["late"]).sorted())
    }
}
