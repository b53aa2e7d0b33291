// SPDX-License-Identifier: Apache-2.0
import Broker
import Foundation
import PinKit
import Testing

/// `cvm-clevis broker`, against the program over TLS with the pinned key.
@Suite struct AdminClientTests {
    let stage: AdminStage
    private let binding: String
    private var policy: String { stage.scratch.path + "/policy.json" }

    init() throws {
        stage = try AdminStage()
        binding = Base64URL.encode([7] + (try Random.bytes(15)))
        try stage.serve([:], [])
        try Stage.policy.canonical.write(toFile: stage.scratch.path + "/policy.json", atomically: false, encoding: .utf8)
        for owner in ["alice", "mallory"] {
            try stage.run(["token", "create", stage.directory, owner, "--output", stage.scratch.path + "/\(owner).token"])
        }
    }

    private func client(_ owner: String, _ arguments: [String], input: String = "") throws -> BrokerProcess.Output {
        let access = [
            "--token-file", "\(stage.scratch.path)/\(owner).token", "--broker", stage.directory + "/public.json", "--server",
            stage.url,
        ]
        return try BrokerProcess.run(BrokerProcess.program("cvm-clevis"), ["broker"] + arguments + access, input: input)
    }

    private func lines(_ output: BrokerProcess.Output) throws -> [JSON] {
        try output.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
    }

    @Test func `an owner administers what is the owner's from another machine`() throws {
        let put = try client(
            "alice", ["resource", "put", "alice-disks/disk/root", "-", "--policy", policy], input: "very secret")
        #expect(put.status == 0 && !put.output.contains("very secret"), "\(put.errors)")
        #expect(try stage.store.resource(ResourcePath("alice-disks/disk/root")).size == 11)
        #expect(try lines(client("alice", ["resource", "list"])).map { $0["path"] } == ["alice-disks/disk/root"])
        #expect(try client("alice", ["policy"]).status == 1)
        #expect(try lines(client("alice", ["policy", "--policy", policy])) == [AdminStage.policy])
        #expect(try lines(client("alice", ["policy"])) == [AdminStage.policy])
        #expect(try client("alice", ["revoke", "--binding=\(binding)", "--note", "lost"]).status == 0)
        #expect(try lines(client("alice", ["revoke"])).map { $0["binding"] } == [.string(binding)])
        let set = try stage.referenceSet("root-image", by: "alice")
        #expect(try client("alice", ["refvalues", "-"], input: set).status == 0)
        #expect(try lines(client("alice", ["refvalues"])).map { $0["name"] } == ["root-image"])
        #expect(try client("alice", ["resource", "remove", "alice-disks/disk/root"]).status == 0)
        let actions = try lines(client("alice", ["audit", "--decision", "granted"])).map { $0["action"]?.string ?? "" }
        #expect(actions.first == "resource-put" && actions.last == "resource-delete" && actions.count == 9, "\(actions)")
        #expect(try lines(client("alice", ["audit", "--last", "1", "--resource", "alice-disks/disk/root"])).count == 1)
    }

    @Test func `the log is followed as it grows`() throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try BrokerProcess.program("cvm-clevis"))
        process.arguments = [
            "broker", "audit", "--follow", "--token-file", stage.scratch.path + "/alice.token", "--broker",
            stage.directory + "/public.json", "--server", stage.url,
        ]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        defer { process.terminate() }
        Thread.sleep(forTimeInterval: 0.5)
        _ = try client("alice", ["resource", "list"])
        let text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        #expect(text.contains(#""action":"audit-list""#) || text.contains(#""action":"resource-list""#), "\(text)")
    }

    @Test func `a token that others can read, or that is not good, is said to be so`() throws {
        let file = stage.scratch.path + "/alice.token"
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: file)
        let open = try client("alice", ["resource", "list"])
        #expect(open.status == 1 && open.errors.contains("can be read by others"))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
        for id in try stage.store.tokens().map(\.id) { try stage.store.revokeToken(id) }
        let gone = try client("alice", ["resource", "list"])
        #expect(gone.status == 1 && gone.errors.contains("Unauthenticated") && gone.errors.contains("token create"))
        try Data().write(to: URL(fileURLWithPath: file))
        #expect(try client("alice", ["resource", "list"]).errors.contains("is empty"))
    }

    @Test func `a server with another key hears nothing of the token`() throws {
        let other = try AdminStage()
        try other.serve([:], [])
        let output = try BrokerProcess.run(
            BrokerProcess.program("cvm-clevis"),
            [
                "broker", "resource", "list", "--token-file", stage.scratch.path + "/alice.token", "--broker",
                stage.directory + "/public.json", "--server", other.url,
            ])
        #expect(output.status == 1 && output.errors.contains("pinned"), "\(output.errors)")
    }

    // MARK: - Across owners

    /// A command with what is Alice's in it, and with what is nobody's.
    private var tries: [(command: String, hers: [String], nobodys: [String], status: Int32)] {
        get throws {
            let set = try stage.referenceSet("root-image", by: "alice", version: 9)
            let strangers = try stage.referenceSet("root-image", by: SigningKey.generate(), version: 9)
            let files = try [("hers", set), ("strangers", strangers)].map { name, text in
                let file = "\(stage.scratch.path)/\(name).jws"
                try text.write(toFile: file, atomically: false, encoding: .utf8)
                return file
            }
            return [
                (
                    "resource put", ["alice-disks/disk/root", policy, "--policy", policy],
                    ["nobodys/disk/root", policy, "--policy", policy], 1
                ),
                ("resource list", [], [], 0),
                ("resource remove", ["alice-disks/disk/root"], ["nobodys/disk/root"], 1),
                ("policy", [], [], 1), ("revoke", [], [], 0), ("refvalues", [], [], 0),
                ("refvalues", [files[0]], [files[1]], 1),
                (
                    "audit", ["--resource", "alice-disks/disk/root", "--decision", "granted"],
                    ["--resource", "nobodys/x/y", "--decision", "granted"], 0
                ),
            ]
        }
    }

    @Test func `what is another's is not there for any command`() throws {
        _ = try client("alice", ["resource", "put", "alice-disks/disk/root", "-", "--policy", policy], input: "very secret")
        _ = try client("alice", ["policy", "--policy", policy])
        _ = try client("alice", ["revoke", "--binding=\(binding)"])
        _ = try client("alice", ["refvalues", "-"], input: stage.referenceSet("root-image", by: "alice"))
        for (command, hers, nobodys, status) in try tries {
            let words = command.split(separator: " ").map(String.init)
            let (one, two) = (try client("mallory", words + hers), try client("mallory", words + nobodys))
            #expect(one.status == status && two.status == status, "\(command): \(one.errors) \(two.errors)")
            #expect(one.output.isEmpty && two.output.isEmpty, "\(command): \(one.output)")
            #expect(one.errors.replacingOccurrences(of: "alice-disks", with: "nobodys") == two.errors, "\(command)")
        }
        #expect(
            try lines(client("alice", ["resource", "list"])).count == 1 && lines(client("alice", ["refvalues"])).count == 1)
    }

    @Test func `every command that there is is tried`() throws {
        func subcommands(_ command: [String]) throws -> [String] {
            let help = try BrokerProcess.run(BrokerProcess.program("cvm-clevis"), command + ["--help"]).output
            guard let list = help.components(separatedBy: "SUBCOMMANDS:\n").dropFirst().first else { return [] }
            return list.split(separator: "\n").filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") && !$0.contains("See '") }
                .compactMap { $0.split(separator: " ").first.map(String.init) }
        }
        let tried = Set(try tries.map(\.command))
        let commands = try subcommands(["broker"])
        #expect(commands.count == 5)
        for command in commands {
            let below = try subcommands(["broker", command])
            for name in below.isEmpty ? [command] : below.map({ "\(command) \($0)" }) {
                #expect(tried.contains(name), "\(name) is not tried across owners")
            }
        }
    }
}
