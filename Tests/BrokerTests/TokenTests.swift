// SPDX-License-Identifier: Apache-2.0
import Broker
import Foundation
import PinKit
import Testing

/// Tokens as the commands make them and the store keeps them.
@Suite(.eachStore) struct TokenTests {
    let scratch: TemporaryDirectory
    let now = systemSeconds()
    var directory: String { scratch.path + "/broker" }

    init() throws {
        scratch = try TemporaryDirectory()
        let store = StoreKind.current == .postgres ? ["--store", try PostgresServer.database()] : []
        try #require(try BrokerProcess.run(["init", directory] + store).status == 0)
        for name in ["alice", "mallory"] {
            let key = try SigningKey.generate().publicKey
            try #require(try run("owner", "add", directory, name, "-", input: key.jwk.canonical).status == 0)
        }
    }

    private func run(_ arguments: String..., input: String = "") throws -> BrokerProcess.Output {
        try BrokerProcess.run(arguments, input: input)
    }

    @Test func `a token is shown once, and the store has its hash only`() throws {
        let made = try run("token", "create", directory, "alice", "--note", "CI", "--scope", "audit", "--scope", "revoke")
        let parts = made.output.dropLast().split(separator: ".")
        try #require(made.status == 0 && made.output.hasPrefix("cvmt.") && parts.count == 3, "\(made.errors)")
        let secret = try Base64URL.decode(parts[2]).orThrow("a secret")
        #expect(secret.count == 32 && made.errors == "made token \(parts[1]): it is not shown again\n")
        let list = try run("token", "list", directory).output
        #expect(list.hasPrefix("\(parts[1])  ") && list.hasSuffix("  unused  alice  audit,revoke  CI\n"), "\(list)")
        let backup = scratch.path + "/backup"
        try Store(in: BrokerDirectory(directory)).backUp(to: backup, at: now)
        let text = try String(contentsOfFile: backup, encoding: .utf8)
        #expect(text.contains(Base64URL.encode(Digest.sha256(secret))) && !text.contains(parts[2]))
    }

    @Test func `a file that a token goes to is the owner's to read alone, and is not one that exists`() throws {
        let file = scratch.path + "/alice.token"
        let made = try run("token", "create", directory, "alice", "--output", file)
        #expect(made.status == 0 && made.output.isEmpty)
        #expect(try scratch.mode(of: "alice.token") == 0o600)
        let again = try run("token", "create", directory, "alice", "--output", file)
        #expect(again.status == 1 && again.errors.contains("File exists: the token was revoked again"), "\(again.errors)")
        #expect(try run("token", "list", directory).output.split(separator: "\n").count == 1)
    }

    @Test func `a token ends when it is said to`() throws {
        _ = try run("token", "create", directory, "alice", "--expires", "30d")
        _ = try run("token", "create", directory, "alice", "--expires", "never")
        _ = try run("token", "create", directory, "alice", "--expires", "2126-01-01T00:00:00Z")
        let tokens = try Store(in: BrokerDirectory(directory)).tokens()
        let ends = tokens.map { token in
            token.expiresAt == 0 || token.expiresAt > 4_000_000_000 ? token.expiresAt : token.expiresAt - token.createdAt
        }
        #expect(ends.sorted() == [0, 30 * 86_400, 4_922_899_200])
        for wrong in ["0d", "1970-01-02T00:00:00Z", "soon", "40000d"] {
            #expect(try run("token", "create", directory, "alice", "--expires", wrong).status != 0, "\(wrong)")
        }
    }

    @Test func `an owner's token has an owner's scopes, and an operator's only its own`() throws {
        #expect(try run("token", "create", directory, "alice").status == 0)
        #expect(try run("token", "create", directory, "--operator").status == 0)
        let scopes = try Store(in: BrokerDirectory(directory)).tokens().map { ($0.owner == nil, $0.scopes) }
        #expect(scopes.contains { $0 == (true, [.owner]) } && scopes.contains { $0 == (false, AdminScope.ofOwners) })
        let wrong = [
            ["alice", "--scope", "owner"], ["--operator", "--scope", "audit"], [], ["alice", "--operator"], ["nobody"],
            ["alice", "--scope", "all"], ["alice", "--note", "a\u{1b}[31mb"],
        ]
        for arguments in wrong {
            #expect(try BrokerProcess.run(["token", "create", directory] + arguments).status != 0, "\(arguments)")
        }
        #expect(try Store(in: BrokerDirectory(directory)).tokens().count == 2)
    }

    @Test func `a revoked token is gone, and so are those of an owner who is removed`() throws {
        let id = try String(run("token", "create", directory, "alice").output.split(separator: ".")[1])
        #expect(try run("token", "revoke", directory, id).output == "revoked token \(id)\n")
        let again = try run("token", "revoke", directory, id)
        #expect(again.status == 1 && again.errors.contains("there is no token \(id)"))
        _ = try run("token", "create", directory, "alice")
        _ = try run("token", "create", directory, "mallory")
        #expect(try run("owner", "remove", directory, "alice").status == 0)
        #expect(try run("token", "list", directory).output.split(separator: "\n").count == 1)
    }

    // MARK: - Repositories

    @Test func `a repository is one owner's, and only where no other has anything in it`() throws {
        #expect(try run("repository", "give", directory, "default", "alice").output == "repository default is alice's\n")
        #expect(try run("repository", "give", directory, "default", "alice").status == 0)
        #expect(try run("repository", "give", directory, "default", "mallory").status == 1)
        #expect(try run("repository", "list", directory).output == "default  alice\n")
        let policy = scratch.path + "/policy.json"
        try Stage.policy.canonical.write(toFile: policy, atomically: false, encoding: .utf8)
        func set(_ path: String, _ owner: String) throws -> BrokerProcess.Output {
            try run("resource", "set", directory, path, "-", "--owner", owner, "--policy", policy, input: "x")
        }
        let refused = try set("default/a/b", "mallory")
        #expect(refused.status == 1 && refused.errors.contains("repository default is another owner's"))
        #expect(try set("default/a/b", "alice").status == 0 && set("other/a/b", "mallory").status == 0)
        let late = try run("repository", "give", directory, "other", "alice")
        #expect(late.status == 1 && late.errors.contains("other/a/b is in repository other and another owner's"))
        #expect(try run("repository", "take", directory, "default").status == 0)
        #expect(try run("repository", "take", directory, "default").status == 1)
        #expect(try run("repository", "list", directory).output.isEmpty)
        #expect(try run("repository", "give", directory, "a/b", "alice").status == 1)
    }
}
