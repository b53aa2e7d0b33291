// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import Foundation
import PinKit
import Testing

/// The program on a real socket with TLS, asked with curl: a client that shares no code with us.
@Suite(.eachStore) struct ServerTests {
    let scratch: TemporaryDirectory
    var directory: String { scratch.path + "/broker" }

    init() throws {
        scratch = try TemporaryDirectory()
        let store = StoreKind.current == .postgres ? ["--store", try PostgresServer.database()] : []
        let made = try BrokerProcess.run(["init", directory] + store)
        try #require(made.status == 0, "\(made.errors)")
    }

    /// Status and body.
    private func curl(_ url: String, _ arguments: [String] = [], body: String? = nil) throws -> (
        status: String, body: String
    ) {
        var arguments = ["-sS", "--cacert", directory + "/tls-cert.pem", "-w", "\n%{http_code}"] + arguments
        if body != nil { arguments += ["--data-binary", "@-"] }
        let output = try BrokerProcess.run("/usr/bin/curl", arguments + [url], input: body ?? "")
        guard output.status == 0 else { throw Missing(what: "curl's success: \(output.errors)") }
        let lines = output.output.split(separator: "\n", omittingEmptySubsequences: false)
        return (String(lines.last ?? ""), lines.dropLast().joined(separator: "\n"))
    }

    private func errorName(_ body: String) throws -> String { try KBSError(body: Array(body.utf8)).name }

    @Test func `a handshake over TLS with the pinned key, and a graceful end`() throws {
        let broker = try ServingBroker(directory: directory)
        let pin = try BrokerDirectory(directory).publicDescription().tls.orThrow("a pin")
        let answer = try curl(
            broker.url + "/kbs/v0/auth", ["--pinnedpubkey", "sha256//\(Base64.encode(pin))"],
            body: #"{"version":"0.4.0","tee":"snp","extra-params":{"supported-hash-algorithms":["sha384"]}}"#)
        #expect(answer.status == "200")
        let challenge = try Challenge(body: Array(answer.body.utf8))
        #expect(Base64.decode(challenge.nonce)?.count == 32)
        #expect(try curl(broker.url + "/healthz").body == "ok\n")
        #expect(broker.stop() == 0)
    }

    @Test func `the cookie of auth has no Expires`() throws {
        let broker = try ServingBroker(directory: directory)
        let answer = try curl(
            broker.url + "/kbs/v0/auth", ["-i"], body: #"{"version":"0.4.0","tee":"snp","extra-params":""}"#)
        let cookie = try answer.body.split(whereSeparator: \.isNewline).first { $0.lowercased().hasPrefix("set-cookie:") }
            .orThrow("a cookie")
        #expect(cookie.contains("kbs-session-id=") && !cookie.lowercased().contains("expires"))
    }

    @Test func `what is no request gets the protocol's errors`() throws {
        let broker = try ServingBroker(directory: directory)
        let cases: [(path: String, body: String?, status: String, name: String)] = [
            ("auth", "{", "400", "MalformedRequest"),
            ("auth", #"{"version":"0.1.0","tee":"snp","extra-params":""}"#, "400", "MalformedRequest"),
            ("auth", #"{"version":"0.4.0","tee":"sample","extra-params":""}"#, "400", "MalformedRequest"),
            ("auth", String(repeating: " ", count: 5000), "413", "BodyTooLarge"),
            ("unseal", "{}", "400", "MalformedRequest"),
            ("unseal", String(repeating: " ", count: 800 << 10), "413", "BodyTooLarge"),
            ("unseal", nil, "404", "NotFound"),
            ("attest", "{}", "401", "Unauthenticated"),
            ("attest", String(repeating: " ", count: 800 << 10), "413", "BodyTooLarge"),
            ("attest", nil, "404", "NotFound"),
            ("resource/default/disk/root", nil, "401", "Unauthenticated"),
            ("resource/default/disk", nil, "404", "NotFound"),
            ("resource/default/disk/root", "{}", "404", "NotFound"),
            ("plugin/a/b", nil, "404", "NotFound"),
        ]
        for (path, body, status, name) in cases {
            let answer = try curl("\(broker.url)/kbs/v0/\(path)", body: body)
            #expect(answer.status == status, "\(path) \(body?.prefix(60) ?? "")")
            #expect(try errorName(answer.body) == name)
        }
    }

    @Test func `a peer cannot write lines of its own into the log`() throws {
        let broker = try ServingBroker(directory: directory)
        let body = #"{"version":"0.4.0","tee":"snp","extra-params":"","x\n2026-01-01 granted":1}"#
        #expect(try curl(broker.url + "/kbs/v0/auth", body: body).status == "400")
        let lines = try broker.logged().split(separator: "\n")
        #expect(lines.count == 1 && lines[0].contains("unknown member x?2026-01-01 granted"))
    }

    // MARK: - The whole exchange

    /// An envelope of a new owner, whom the broker knows as alice.
    private func envelope(protecting share: [UInt8]) throws -> Envelope {
        let description = try BrokerDirectory(directory).publicDescription()
        let owner = try SigningKey.generate()
        let added = try BrokerProcess.run(["owner", "add", directory, "alice", "-"], input: owner.publicKey.jwk.canonical)
        try #require(added.status == 0, "\(added.errors)")
        return try Envelope.seal(
            SecretBytes(copyingPublic: share), to: description.broker, by: owner, platform: .snp,
            id: Base64URL.encode(Random.bytes(16)), issuedAt: systemSeconds(), policy: Stage.policy, tls: description.tls,
            url: description.url)
    }

    private func unseal(
        _ envelope: Envelope, with guest: AgreementKey, at broker: ServingBroker, _ options: [String] = []
    ) throws -> (status: String, body: String) {
        let auth = try curl(broker.url + "/kbs/v0/auth", body: String(decoding: AuthRequest(tee: .snp).body, as: UTF8.self))
        let request = try SimulatedGuest(key: guest).request(
            [envelope.message.compact], to: BrokerDirectory(directory).publicDescription().broker,
            nonce: Challenge(body: Array(auth.body.utf8)).nonce)
        return try curl(broker.url + "/kbs/v0/unseal", options, body: String(decoding: request.body, as: UTF8.self))
    }

    @Test func `a share travels from owner to guest, and the broker says that it believed a simulator`() throws {
        try SimulatedGuest.writeTrust(to: scratch.path + "/trust")
        // Enrolled while it serves.
        let broker = try ServingBroker(directory: directory, ["--trust-simulator", scratch.path + "/trust"])
        let envelope = try envelope(protecting: [1, 2, 3])
        let guest = try AgreementKey.generate()
        let answer = try unseal(envelope, with: guest, at: broker)
        #expect(answer.status == "200")
        let response = try UnsealResponse(body: Array(answer.body.utf8))
        guard case .answer(let message) = response.results.first else { throw Missing(what: "an answer: \(answer.body)") }
        #expect(try Answer.open(message, with: guest, answering: envelope).equals(SecretBytes(copyingPublic: [1, 2, 3])))

        let log = try broker.logged()
        #expect(log.contains("WARNING: this broker believes a SIMULATOR"))
        #expect(log.contains("granted") && log.contains(#""simulated":true"#) && log.contains(envelope.header.id))
        let audit = try BrokerProcess.run(["audit", directory, "--owner", "alice", "--json"])
        let entry = try JSON(parsing: audit.output)
        #expect(entry["decision"]?.string == "granted" && entry["binding"]?.string == envelope.header.id)
        #expect(entry["simulated"]?.bool == true && entry["remote"]?.string == "127.0.0.1")
    }

    @Test func `without that option the same exchange ends with 403`() throws {
        let broker = try ServingBroker(directory: directory)
        let answer = try unseal(envelope(protecting: [1, 2, 3]), with: AgreementKey.generate(), at: broker)
        #expect(answer.status == "403")
        #expect(try errorName(answer.body) == "EvidenceRefused")
        let audit = try BrokerProcess.run(["audit", directory])
        #expect(audit.output.contains("refused") && audit.output.contains("the evidence is not genuine"))
    }

    @Test func `answers bring the head of the audit log, and who kept it finds out what was cut off`() throws {
        let broker = try ServingBroker(directory: directory)
        #expect(try BrokerProcess.run(["audit", "verify", directory]).status == 0)
        let answer = try unseal(envelope(protecting: [1]), with: AgreementKey.generate(), at: broker, ["-i"])
        let prefix = "Cvm-Clevis-Audit-Head: "
        let head = try answer.body.split(whereSeparator: \.isNewline).first { $0.hasPrefix(prefix) }.orThrow("a head")
            .dropFirst(prefix.count)
        #expect(try BrokerProcess.run(["audit", "head", directory]).output == head + "\n")
        let verify = ["audit", "verify", directory, "--head", "-"]
        let untouched = try BrokerProcess.run(verify, input: String(head))
        #expect(untouched.status == 0 && untouched.output.hasSuffix(": 1 entries\n"), "\(untouched.errors)")

        let store = try Store(in: BrokerDirectory(directory))
        try store.drop("audit_stays", of: "audit")
        try store.execute("DELETE FROM audit")
        let cut = try BrokerProcess.run(verify, input: String(head))
        #expect(cut.status == 1 && cut.errors.contains("was cut off after entry 0"), "\(cut.errors)")
        let json = try BrokerProcess.run(verify + ["--json"], input: String(head))
        #expect(try json.status == 1 && JSON(parsing: json.output)["problems"]?.array?.count == 2)
    }

    @Test func `a list that is followed tells what is decided meanwhile, once`() throws {
        let broker = try ServingBroker(directory: directory)
        let envelope = try envelope(protecting: [1])
        _ = try unseal(envelope, with: AgreementKey.generate(), at: broker)
        let list = Process()
        let output = Pipe()
        list.executableURL = URL(fileURLWithPath: try BrokerProcess.executable)
        list.arguments = ["audit", "list", directory, "--follow", "--json", "--since", "2020-02-29T00:00:00Z"]
        list.standardOutput = output
        list.standardError = FileHandle.nullDevice
        try list.run()
        // Not SIGTERM: what a test's thread starts has it blocked.
        defer { kill(list.processIdentifier, SIGKILL) }
        var text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        _ = try unseal(envelope, with: AgreementKey.generate(), at: broker)
        while text.split(separator: "\n").count < 2 {
            let more = output.fileHandleForReading.availableData
            try #require(!more.isEmpty)
            text += String(decoding: more, as: UTF8.self)
        }
        #expect(try text.split(separator: "\n").map { try JSON(parsing: String($0))["seq"] } == [1, 2])
    }

    @Test(arguments: ["2020-02-30T00:00:00Z", "yesterday", "-1", "2020-02-29 00:00:00Z"])
    func `what is no moment is refused`(moment: String) throws {
        #expect(try BrokerProcess.run(["audit", "list", directory, "--since", moment]).status == 2)
    }

    @Test func `a broker that is killed has lost nothing that it answered, and goes on after it`() throws {
        let envelope = try envelope(protecting: [1])
        var heads: [Substring] = []
        for round in 1...3 {
            let broker = try ServingBroker(directory: directory)
            // In the midst of answering: requests go on until one finds nobody.
            broker.kill(after: 0.3 * Double(round))
            while let answer = try? unseal(envelope, with: AgreementKey.generate(), at: broker, ["-i"]) {
                let prefix = "Cvm-Clevis-Audit-Head: "
                let head = answer.body.split(whereSeparator: \.isNewline).first { $0.hasPrefix(prefix) }
                heads.append(try head.orThrow("a head: \(answer.body)").dropFirst(prefix.count))
            }
        }
        try #require(!heads.isEmpty)
        let verified = try BrokerProcess.run(
            ["audit", "verify", directory, "--head", "-"], input: heads.joined(separator: "\n"))
        #expect(verified.status == 0, "\(verified.errors)")
        #expect(try ServingBroker(directory: directory).stop() == 0)
    }

    // MARK: - The KBS protocol

    @Test func `a KBS client gets its resource, the way it goes about it`() throws {
        try SimulatedGuest.writeTrust(to: scratch.path + "/trust")
        try store("a key of somebody's", at: "default/disk/root")
        let broker = try ServingBroker(directory: directory, ["--trust-simulator", scratch.path + "/trust"])
        let resource = broker.url + "/kbs/v0/resource/default/disk/root"
        let jar = ["-b", scratch.path + "/jar", "-c", scratch.path + "/jar"]
        #expect(try curl(resource, jar).status == "401")

        let auth = try curl(
            broker.url + "/kbs/v0/auth", jar,
            body: #"{"version":"0.4.0","tee":"snp","extra-params":{"supported-hash-algorithms":["sha384"]}}"#)
        let guest = try KBSGuest(stage: Stage())
        let message = try guest.message(Challenge(body: Array(auth.body.utf8)).nonce)
        let attest = try curl(broker.url + "/kbs/v0/attest", jar, body: String(decoding: message, as: UTF8.self))
        #expect(attest.status == "200", "\(attest.body)")
        let token = try (JSON(parsing: attest.body)["token"]?.string).orThrow("a token")

        for credential in [jar, ["-H", "Authorization: Bearer \(token)"]] {
            let answer = try curl(resource, credential)
            #expect(answer.status == "200", "\(answer.body)")
            let message = try JWE(flattened: JSON(parsing: answer.body))
            let content = SecretBytes(copyingPublic: Array("a key of somebody's".utf8))
            #expect(try message.open(with: guest.stage.guest).equals(content))
        }
        #expect(try curl(broker.url + "/kbs/v0/resource/default/disk/none", jar).status == "404")
        let audit = try BrokerProcess.run(["audit", directory, "--owner", "alice", "--last", "1", "--json"])
        #expect(try JSON(parsing: audit.output)["resource"] == "default/disk/root")
    }

    @Test func `any replica answers any request of a session`() throws {
        // Of SQLite's file there is one replica only.
        guard StoreKind.current == .postgres else { return }
        try SimulatedGuest.writeTrust(to: scratch.path + "/trust")
        try store("a key of somebody's", at: "default/disk/root")
        let second = scratch.path + "/second"
        try FileManager.default.copyItem(atPath: directory, toPath: second)
        try FileManager.default.removeItem(atPath: second + "/audit.pem")
        let options = ["--trust-simulator", scratch.path + "/trust"]
        let brokers = try [directory, second].map { try ServingBroker(directory: $0, options) }

        let jar = ["-b", scratch.path + "/jar", "-c", scratch.path + "/jar"]
        let auth = try curl(
            brokers[0].url + "/kbs/v0/auth", jar,
            body: #"{"version":"0.4.0","tee":"snp","extra-params":{"supported-hash-algorithms":["sha384"]}}"#)
        let message = try KBSGuest(stage: Stage()).message(Challenge(body: Array(auth.body.utf8)).nonce)
        let attest = try curl(brokers[1].url + "/kbs/v0/attest", jar, body: String(decoding: message, as: UTF8.self))
        #expect(attest.status == "200", "\(attest.body)")
        for broker in brokers {
            #expect(try curl(broker.url + "/kbs/v0/resource/default/disk/root", jar).status == "200")
        }
        let verified = try BrokerProcess.run(["audit", "verify", directory])
        #expect(verified.status == 0 && verified.output.split(separator: "\n").count == 2, "\(verified.output)")
    }

    @Test func `every key changes while a broker serves, and sessions under way go on at any replica`() throws {
        try SimulatedGuest.writeTrust(to: scratch.path + "/trust")
        try store("a key of somebody's", at: "default/disk/root")
        var directories = [directory]
        if StoreKind.current == .postgres {
            let second = scratch.path + "/second"
            try FileManager.default.copyItem(atPath: directory, toPath: second)
            try FileManager.default.removeItem(atPath: second + "/audit.pem")
            directories.append(second)
        }
        let options = ["--trust-simulator", scratch.path + "/trust"]
        let brokers = try directories.map { try ServingBroker(directory: $0, options) }
        let stage = try Stage()
        func begin(_ name: String) throws -> (jar: [String], nonce: String) {
            let jar = ["-b", "\(scratch.path)/\(name)", "-c", "\(scratch.path)/\(name)"]
            let auth = try curl(
                brokers[0].url + "/kbs/v0/auth", jar, body: #"{"version":"0.4.0","tee":"snp","extra-params":""}"#)
            return (jar, try Challenge(body: Array(auth.body.utf8)).nonce)
        }
        func finish(_ session: (jar: [String], nonce: String)) throws {
            let message = String(decoding: try KBSGuest(stage: stage).message(session.nonce), as: UTF8.self)
            let attest = try curl(brokers[brokers.count - 1].url + "/kbs/v0/attest", session.jar, body: message)
            #expect(attest.status == "200", "\(attest.body)")
            let token = try (JSON(parsing: attest.body)["token"]?.string).orThrow("a token")
            for (broker, credential) in zip(brokers + brokers, [session.jar, ["-H", "Authorization: Bearer \(token)"]]) {
                #expect(try curl(broker.url + "/kbs/v0/resource/default/disk/root", credential).status == "200")
            }
        }

        let before = try begin("before")
        for key in ["token", "cookie", "nonce", "envelope"] {
            let rotated = try BrokerProcess.run(["rotate", key, directory])
            #expect(rotated.status == 0 && rotated.output.hasPrefix("made \(key) key "), "\(rotated.errors)")
        }
        let fresh = try begin("fresh")
        // Until the new keys are in use.
        Thread.sleep(forTimeInterval: 17)
        let after = try begin("after")
        for session in [before, fresh, after] { try finish(session) }
        let list = try BrokerProcess.run(["keys", "list", directory, "--json"]).output.split(separator: "\n")
        let states = try list.map { try JSON(parsing: Array($0.utf8))["state"]?.string }
        #expect(
            states == ["current", "earlier", "current", "earlier", "current", "earlier", "current", "earlier", "current"])
        // Each has read it by now, and tells its owners.
        let files = try directories.map { try String(contentsOfFile: $0 + "/public.json", encoding: .utf8) }
        #expect(Set(files).count == 1)
    }

    @Test func `the TLS key changes while a broker serves, and guests that pin both notice nothing`() throws {
        let broker = try ServingBroker(directory: directory)
        func status(_ pins: [UInt8]) throws -> Int32 {
            let each = stride(from: 0, to: pins.count, by: 32).map { "sha256//\(Base64.encode(Array(pins[$0..<$0 + 32])))" }
            return try BrokerProcess.run(
                "/usr/bin/curl", ["-sSk", "--pinnedpubkey", each.joined(separator: ";"), broker.url + "/healthz"]
            ).status
        }
        func pins() throws -> [UInt8] { try BrokerDirectory(directory).publicDescription().tls.orThrow("a pin") }
        let old = try pins()
        #expect(try BrokerProcess.run(["rotate", "tls", directory]).status == 0)
        let both = try pins()
        let new = Array(both.dropFirst(32))
        #expect(both.starts(with: old) && new.count == 32)
        #expect(try status(old) == 0 && status(both) == 0 && status(new) == 90)
        let retired = try BrokerProcess.run(["rotate", "tls", directory, "--retire", Base64URL.encode(old)])
        #expect(retired.status == 0, "\(retired.errors)")
        for _ in 0..<100 where try status(new) != 0 { Thread.sleep(forTimeInterval: 0.1) }
        #expect(try status(new) == 0 && status(both) == 0 && status(old) == 90)
        #expect(try curl(broker.url + "/healthz").status == "200")
        #expect(try pins() == new)
    }

    @Test func `resources are sealed with a new key, and come out as before`() throws {
        try SimulatedGuest.writeTrust(to: scratch.path + "/trust")
        try store("very secret", at: "default/disk/root")
        let info = ["resource", "get-info", directory, "default/disk/root", "--json"]
        let before = try JSON(parsing: BrokerProcess.run(info).output)
        let rekeyed = try BrokerProcess.run(["rekey", directory])
        #expect(rekeyed.status == 0 && rekeyed.output.hasPrefix("sealed 1 resources and 5 keys anew"), "\(rekeyed.errors)")
        let after = try JSON(parsing: BrokerProcess.run(info).output)
        #expect(before["key"] != after["key"] && before["policy"] == after["policy"])
        #expect(try scratch.mode(of: "broker/resource.key") == 0o600)

        let broker = try ServingBroker(directory: directory, ["--trust-simulator", scratch.path + "/trust"])
        let jar = ["-b", scratch.path + "/jar", "-c", scratch.path + "/jar"]
        let auth = try curl(
            broker.url + "/kbs/v0/auth", jar,
            body: #"{"version":"0.4.0","tee":"snp","extra-params":{"supported-hash-algorithms":["sha384"]}}"#)
        let guest = try KBSGuest(stage: Stage())
        let message = try guest.message(Challenge(body: Array(auth.body.utf8)).nonce)
        _ = try curl(broker.url + "/kbs/v0/attest", jar, body: String(decoding: message, as: UTF8.self))
        let answer = try curl(broker.url + "/kbs/v0/resource/default/disk/root", jar)
        let content = SecretBytes(copyingPublic: Array("very secret".utf8))
        #expect(try JWE(flattened: JSON(parsing: answer.body)).open(with: guest.stage.guest).equals(content))
    }

    private func store(_ content: String, at path: String, _ command: String = "set") throws {
        let owner = try SigningKey.generate().publicKey
        _ = try BrokerProcess.run(["owner", "add", directory, "alice", "-"], input: owner.jwk.canonical)
        let policy = scratch.path + "/policy.json"
        try Stage.policy.canonical.write(toFile: policy, atomically: false, encoding: .utf8)
        let file = command == "set" ? ["-"] : []
        let stored = try BrokerProcess.run(
            ["resource", command, directory, path] + file + ["--owner", "alice", "--policy", policy], input: content)
        try #require(stored.status == 0, "\(stored.errors)")
    }

    @Test func `resources go in, are listed without their content, and go`() throws {
        try store("very secret", at: "default/disk/root")
        try store("", at: "default/7c9f/root", "new-key")
        let list = try BrokerProcess.run(["resource", "list", directory, "--owner", "alice"]).output
        #expect(list.contains("default/disk/root  11  ") && list.contains("default/7c9f/root  59  "))
        #expect(list.contains("alice"))
        let info = try BrokerProcess.run(["resource", "get-info", directory, "default/disk/root", "--json"])
        #expect(try JSON(parsing: info.output)["policy"]?["snp"] == Stage.policy)
        #expect(!info.output.contains("very secret"))
        #expect(try scratch.mode(of: "broker/resource.key") == 0o600)
        #expect(try BrokerProcess.run(["resource", "remove", directory, "default/disk/root"]).status == 0)
        let gone = try BrokerProcess.run(["resource", "get-info", directory, "default/disk/root"])
        #expect(gone.status == 1 && gone.errors.contains("there is no resource default/disk/root"))
    }

    // MARK: - Commands

    @Test func `without TLS only this machine is served`() throws {
        let output = try BrokerProcess.run(["serve", directory, "--listen", "0.0.0.0:0", "--no-tls"])
        #expect(output.status == 1)
        #expect(output.errors.hasPrefix("cvm-clevis-broker: error: 0.0.0.0 is not a loopback address"))
    }

    @Test func `plain HTTP on loopback works when asked for`() throws {
        let broker = try ServingBroker(directory: directory, ["--no-tls"])
        #expect(broker.url.hasPrefix("http://127.0.0.1:"))
        #expect(try curl(broker.url + "/healthz").status == "200")
    }

    @Test func `owners and revocations go in and come out`() throws {
        let key = try SigningKey.generate().publicKey
        let added = try BrokerProcess.run(["owner", "add", directory, "alice", "-"], input: key.jwk.canonical)
        #expect(added.status == 0 && added.output == "enrolled alice \(key.thumbprint)\n")
        #expect(try BrokerProcess.run(["owner", "list", directory]).output.contains(key.thumbprint))
        // One random id in 64 begins like an option, and one in 4096 like a long one.
        let id = "--" + Base64URL.encode(try Random.bytes(16)).dropFirst(2)
        let revoked = try BrokerProcess.run(["revoke", "binding", directory, "alice", id, "--note", "lost"])
        #expect(revoked.status == 0, "\(revoked.errors)")
        #expect(
            try BrokerProcess.run(["revoke", "list", directory]).output.contains("binding \(id) of \(key.thumbprint)  lost"))
        #expect(try BrokerProcess.run(["owner", "remove", directory, "alice"]).status == 0)
        #expect(try BrokerProcess.run(["owner", "list", directory]).output.isEmpty)
    }

    @Test func `what begins with a dash and is an id or a thumbprint is no option`() throws {
        let chip = "-" + Base64URL.encode(try Random.bytes(64)).dropFirst()
        let revoked = try BrokerProcess.run(["revoke", "chip", directory, chip, "--note", "-"])
        #expect(revoked.status == 0 && revoked.output == "revoked chip \(chip) for everybody\n", "\(revoked.errors)")
        let stranger = "-" + Base64URL.encode(try Random.bytes(32)).dropFirst()
        for arguments in [["owner", "remove", directory, stranger], ["audit", directory, "--owner", stranger]] {
            let output = try BrokerProcess.run(arguments)
            #expect(output.status == 1)
            #expect(output.errors.contains("error: no owner \(stranger) is enrolled"), "\(output.errors)")
        }
    }

    @Test func `a private key is not enrolled`() throws {
        let jwk = try AgreementKey.generate().jwk()
        let text = unsafe jwk.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
        let output = try BrokerProcess.run(["owner", "add", directory, "alice", "-"], input: text)
        #expect(output.status == 1)
        #expect(output.errors.contains("d: is a private key"))
    }

    @Test(arguments: [
        ["owner", "list", "/nonexistent"], ["serve", "/nonexistent"], ["init", "/proc/broker"],
        ["init", "/nonexistent/broker", "--url", "ftp://x"],
    ])
    func `a failure is one line and exit status 1`(arguments: [String]) throws {
        let output = try BrokerProcess.run(arguments)
        #expect(output.status == 1 && output.output.isEmpty)
        let lines = output.errors.split(separator: "\n")
        #expect(lines.count <= 2 && lines.first?.hasPrefix("cvm-clevis-broker: error: ") == true)
        #expect(lines.dropFirst().allSatisfy { $0.hasPrefix("cvm-clevis-broker: hint: ") })
    }

    @Test(arguments: [
        [], ["init"], ["owner"], ["owner", "add"], ["owner", "list"], ["owner", "remove"], ["owner", "not-before"],
        ["revoke"],
        ["revoke", "binding"], ["revoke", "chip"], ["revoke", "list"], ["audit"], ["audit", "list"],
        ["audit", "verify"], ["audit", "head"], ["backup"], ["restore"], ["rekey"], ["serve"], ["check"], ["resource"],
        ["resource", "set"], ["resource", "new-key"], ["resource", "get-info"], ["resource", "list"],
        ["resource", "remove"], ["token"], ["token", "create"], ["token", "list"], ["token", "revoke"],
        ["repository"], ["repository", "give"], ["repository", "list"], ["repository", "take"],
    ])
    func `every command explains itself with an example`(command: [String]) throws {
        let output = try BrokerProcess.run(command + ["--help"])
        #expect(output.status == 0 && output.output.contains("Example:\n  cvm-clevis-broker"))
    }
}
