// SPDX-License-Identifier: Apache-2.0
import Attestation
import Broker
import BrokerProtocol
import Foundation
import PinKit
import Testing

/// Administration over HTTP, asked with curl.
@Suite(.eachStore) struct AdminTests {
    let stage: AdminStage
    private let path = "/admin/v1/resources/alice-disks/disk/root"

    init() throws { stage = try AdminStage() }

    @Test func `without its section in the file there is none`() throws {
        let broker = try ServingBroker(directory: stage.directory, ["--no-tls"])
        let token = try stage.token("alice")
        for route in AdminRoute.all where !route.path.hasPrefix("/kbs/v0/resource/") {
            let path = route.path.replacingOccurrences(of: ":", with: "")
            let body = route.method == "GET" || route.method == "DELETE" ? nil : "{}"
            let answer = try stage.call(route.method, broker.url + path, token, body: body)
            #expect(try answer.status == 404 && answer.name == "NotFound", "\(route.path)")
        }
    }

    // MARK: - Who may

    @Test func `a call takes a token that is known, in force and for that`() throws {
        try stage.serve()
        let good = try stage.token("alice", "--scope", "resource")
        let other = try stage.token("alice", "--scope", "resource").suffix(43)
        let gone = try stage.token("alice")
        _ = try stage.store.revokeToken(String(gone.split(separator: ".")[1]))
        let short = try stage.store.createToken(
            TokenTerms(owner: "alice", scopes: AdminScope.ofOwners, expiresAt: systemSeconds() + 1), at: systemSeconds())
        let expired = unsafe short.text.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
        Thread.sleep(forTimeInterval: 1.1)
        #expect(try stage.call("GET", "/admin/v1/resources", good).status == 200)
        let bad: [String?] = [
            nil, "", "x", String(good.dropLast()), String(good.dropLast(43) + other), gone, expired, good + ".",
        ]
        for token in bad {
            let answer = try stage.call("GET", "/admin/v1/resources", token)
            #expect(try answer.status == 401 && answer.name == "Unauthenticated", "\(token ?? "")")
        }
        let forbidden = try stage.call("GET", "/admin/v1/audit", good)
        #expect(try forbidden.status == 403 && forbidden.name == "Forbidden")
        #expect(try stage.call("GET", "/admin/v1/public", good).json["url"]?.string != nil)
        let used = try stage.store.tokens().filter { $0.usedAt != 0 }
        #expect(used.count == 1 && used[0].usedAt % 86_400 == 0 && good.contains(used[0].id))
    }

    @Test func `an owner who was removed has no access, even when enrolled again`() throws {
        try stage.serve()
        let token = try stage.token("alice")
        try stage.run(["owner", "remove", stage.directory, "alice"])
        #expect(try stage.call("GET", "/admin/v1/resources", token).status == 401)
        let key = try stage.owners["alice"].orThrow("alice").publicKey.jwk.canonical
        try stage.run(["owner", "add", stage.directory, "alice", "-"], input: key)
        #expect(try stage.call("GET", "/admin/v1/resources", token).status == 401)
    }

    @Test func `an operator's token enrols owners and sees nothing of theirs`() throws {
        try stage.serve()
        let token = try stage.token("operator")
        let key = try SigningKey.generate().publicKey
        let body = JSON.object(["name": "carol", "key": key.jwk]).canonical
        #expect(try stage.call("POST", "/admin/v1/owners", token, body: body).json["thumbprint"] == .string(key.thumbprint))
        #expect(try stage.call("POST", "/admin/v1/owners", token, body: body).status == 409)
        let list = try stage.call("GET", "/admin/v1/owners", token).json["owners"]?.array
        #expect(list?.compactMap { $0["name"]?.string } == ["alice", "carol", "mallory"])
        for route in AdminRoute.all where !["/admin/v1/owners", "/admin/v1/public"].contains(route.path) {
            let path = route.path.replacingOccurrences(of: ":", with: "")
            let body = route.method == "GET" || route.method == "DELETE" ? nil : "{}"
            let answer = try stage.call(route.method, path, token, body: body)
            // A GET of a resource is a guest's.
            #expect([403, 501].contains(answer.status), "\(route.method) \(path): \(answer.body)")
        }
        for owner in ["alice", "mallory"] {
            let token = try stage.token(owner)
            #expect(try stage.call("GET", "/admin/v1/owners", token).status == 403)
            #expect(try stage.call("POST", "/admin/v1/owners", token, body: body).status == 403)
        }
    }

    // MARK: - Resources

    @Test func `a resource that an owner puts goes to a guest who meets its policy`() throws {
        try SimulatedGuest.writeTrust(to: stage.scratch.path + "/trust")
        try stage.serve([:], ["--no-tls", "--trust-simulator", stage.scratch.path + "/trust"])
        let token = try stage.token("alice", "--scope", "resource")
        let put = try stage.call("PUT", path, token, body: "very secret", AdminStage.policyHeader)
        #expect(put.status == 200, "\(put.body)")
        #expect(try put.json["size"] == 11 && put.json["policy"] == AdminStage.policy)
        let jar = ["--cookie-jar", stage.scratch.path + "/jar", "--cookie", stage.scratch.path + "/jar"]
        let auth = try stage.call(
            "POST", "/kbs/v0/auth", nil, body: #"{"version":"0.4.0","tee":"snp","extra-params":""}"#, jar)
        let guest = try KBSGuest(stage: Stage())
        let message = try guest.message(Challenge(body: Array(auth.body.utf8)).nonce)
        _ = try stage.call("POST", "/kbs/v0/attest", nil, body: String(decoding: message, as: UTF8.self), jar)
        let answer = try stage.call("GET", "/kbs/v0/resource/alice-disks/disk/root", nil, jar)
        let content = SecretBytes(copyingPublic: Array("very secret".utf8))
        #expect(try JWE(flattened: answer.json).open(with: guest.stage.guest).equals(content))

        #expect(try stage.call("GET", path, token).json["size"] == 11)
        #expect(try stage.call("GET", "/admin/v1/resources", token).json["resources"]?.array?.count == 1)
        #expect(try stage.call("DELETE", path, token).status == 200)
        #expect(try stage.call("DELETE", path, token).status == 404 && stage.call("GET", path, token).status == 404)
        let log = try stage.broker.orThrow("a broker").logged()
        #expect(!log.contains("very secret") && !log.contains(token) && !log.contains(token.suffix(43)))
    }

    @Test func `a resource without a policy has the owner's default, and none where there is none`() throws {
        try stage.serve()
        let token = try stage.token("alice", "--scope", "resource")
        #expect(try stage.call("GET", "/admin/v1/policy", token).status == 404)
        let early = try stage.call("PUT", path, token, body: "x")
        #expect(early.status == 400 && early.body.contains("no policy"))
        #expect(try stage.call("PUT", "/admin/v1/policy", token, body: AdminStage.policy.canonical).status == 200)
        #expect(try stage.call("GET", "/admin/v1/policy", token).json == AdminStage.policy)
        #expect(try stage.call("PUT", path, token, body: "x").json["policy"] == AdminStage.policy)
    }

    @Test func `a resource that is put after a rekey is sealed with the new key, while the broker serves`() throws {
        try stage.serve()
        let token = try stage.token("alice", "--scope", "resource")
        let before = try stage.call("PUT", path, token, body: "x", AdminStage.policyHeader).json["key"]
        try stage.run(["rekey", stage.directory])
        let rekeyed = try stage.call("GET", path, token).json["key"]
        #expect(rekeyed != before)
        // The broker looks for keys once a second at most.
        Thread.sleep(forTimeInterval: 1.1)
        let after = try stage.call("PUT", path, token, body: "x", AdminStage.policyHeader)
        #expect(try after.status == 200 && after.json["key"] == rekeyed, "\(after.body)")
    }

    @Test func `what is wrong with a resource, its path or its policy is said`() throws {
        try stage.serve()
        let token = try stage.token("alice", "--scope", "resource")
        let header = AdminStage.policyHeader
        let cases: [(path: String, body: String, options: [String], status: Int)] = [
            (path, "", header, 400), (path, String(repeating: "x", count: 65_537), header, 413),
            (path, String(repeating: "x", count: 65_536), header, 200),
            ("/admin/v1/resources/alice-disks/.x/y", "x", header, 400),
            (path, "x", ["-H", "Cvm-Clevis-Policy: {}"], 400), (path, "x", ["-H", "Cvm-Clevis-Policy: e30"], 400),
            (path, "x", ["-H", "Cvm-Clevis-Policy: \(Base64URL.encode(Array(#"{"snp":{"vmpl":"x"}}"#.utf8)))"], 400),
        ]
        for (path, body, options, status) in cases {
            let answer = try stage.call("PUT", path, token, body: body, options)
            #expect(answer.status == status, "\(path) \(options): \(answer.body)")
        }
        for policy in ["", "[]", "{}", #"{"sev":{}}"#] {
            #expect(try stage.call("PUT", "/admin/v1/policy", token, body: policy).status == 400, "\(policy)")
        }
    }

    // MARK: - The KBS protocol's own

    @Test func `a KBS client's administrator puts resources and a policy in our language, and hears why not Rego`() throws {
        try stage.serve()
        let token = try stage.token("alice", "--scope", "resource")
        func policy(_ text: String) -> String {
            JSON.object(["policy": .string(Base64URL.encode(Array(text.utf8)))]).canonical
        }
        let rego = try stage.call(
            "POST", "/kbs/v0/resource-policy", token, body: policy("package policy\ndefault allow = true"))
        #expect(try rego.status == 501 && rego.name == "NotSupported" && rego.body.contains("Rego is not run"))
        let ours = policy(AdminStage.policy.canonical)
        #expect(try stage.call("POST", "/kbs/v0/resource-policy", token, body: ours).status == 200)
        #expect(try stage.call("GET", "/kbs/v0/resource-policy", token).body == ours)
        #expect(try stage.call("POST", "/kbs/v0/resource/alice-disks/disk/root", token, body: "x").status == 200)
        #expect(try stage.call("GET", path, token).json["policy"] == AdminStage.policy)
        let others = [("POST", "attestation-policy"), ("POST", "reference-value"), ("GET", "reference-value/x")]
        for (method, path) in others {
            let answer = try stage.call(method, "/kbs/v0/\(path)", token, body: method == "POST" ? "{}" : nil)
            #expect(try answer.status == 501 && answer.name == "NotSupported", "\(path)")
            #expect(try stage.call(method, "/kbs/v0/\(path)", nil, body: method == "POST" ? "{}" : nil).status == 401)
        }
    }

    // MARK: - Revocations and reference sets

    @Test func `an owner revokes what is the owner's, once`() throws {
        try stage.serve()
        let token = try stage.token("alice", "--scope", "revoke")
        let (binding, chip) = (Base64URL.encode(try Random.bytes(16)), Base64URL.encode(try Random.bytes(64)))
        for body in [#"{"binding":"\#(binding)","note":"lost"}"#, #"{"chip":"\#(chip)"}"#] {
            #expect(try stage.call("POST", "/admin/v1/revocations", token, body: body).status == 200)
            #expect(try stage.call("POST", "/admin/v1/revocations", token, body: body).status == 409)
        }
        let alice = try stage.thumbprint("alice")
        let subjects = try stage.store.revocations().map(\.subject)
        #expect(subjects.contains(.binding(binding, owner: alice)) && subjects.contains(.chip(chip, owner: alice)))
        let list = try stage.call("GET", "/admin/v1/revocations", token).json["revocations"]?.array
        #expect(list?.count == 2 && list?.first { $0["binding"] != nil }?["note"] == "lost")
        for body in ["{}", #"{"binding":"x"}"#, #"{"chip":"x"}"#, #"{"binding":"\#(binding)","chip":"\#(chip)"}"#, "x"] {
            #expect(try stage.call("POST", "/admin/v1/revocations", token, body: body).status == 400, "\(body)")
        }
    }

    @Test func `a reference set comes in under its owner's token, and its version only rises`() throws {
        try stage.serve()
        let token = try stage.token("alice", "--scope", "refvalues")
        func put(_ set: String) throws -> AdminStage.Answer {
            try stage.call("POST", "/admin/v1/reference-sets", token, body: set)
        }
        let second = try stage.referenceSet("root-image", by: "alice", version: 2)
        #expect(try put(second).json["version"] == 2 && put(second + "\n").status == 200)
        #expect(try put(stage.referenceSet("root-image", by: "alice", version: 1)).status == 409)
        let stranger = try SignedReferenceSet(
            SignedReferenceSet(parsing: second).unverified, signedBy: SigningKey.generate()
        ).compact
        let (known, unknown) = (try put(stage.referenceSet("root-image", by: "mallory")), try put(stranger))
        #expect(known.status == 403 && known.body == unknown.body && unknown.status == 403)
        #expect(try put("x.y.z").status == 400)
        let list = try stage.call("GET", "/admin/v1/reference-sets", token).json["reference_sets"]?.array
        #expect(list?.count == 1 && list?[0]["name"] == "root-image")
    }

    // MARK: - What is written down

    @Test func `every call is in the audit log with who made it and what became of it`() throws {
        try stage.serve()
        let token = try stage.token("alice", "--scope", "resource")
        let id = token.split(separator: ".")[1]
        _ = try stage.call("PUT", path, token, body: "very secret", AdminStage.policyHeader)
        _ = try stage.call("GET", "/admin/v1/resources", token)
        _ = try stage.call("DELETE", "/admin/v1/resources/alice-disks/none/x", token)
        _ = try stage.call("GET", "/admin/v1/audit", token)
        _ = try stage.call("GET", "/admin/v1/audit", "cvmt.nobody")
        let entries = try stage.recorded()
        #expect(
            entries.map { $0.action ?? "" } == [
                "resource-put", "resource-list", "resource-delete", "audit-list", "audit-list",
            ])
        #expect(entries.map(\.verdict.decision) == [.granted, .granted, .refused, .refused, .refused])
        #expect(entries.prefix(4).allSatisfy { $0.actor == String(id) && $0.remote == "127.0.0.1" })
        let alice = try stage.thumbprint("alice")
        #expect(entries.prefix(4).allSatisfy { $0.owner == alice })
        #expect(entries[0].resource == "alice-disks/disk/root" && entries[4].actor == nil && entries[4].owner == nil)
        #expect(try stage.run(["audit", "verify", stage.directory]).hasPrefix("replica "))
        let words = try stage.run(["audit", "list", stage.directory])
        #expect(words.contains("resource-put") && words.contains("token \(id)"))
    }

    @Test func `an owner follows the log from where the last answer ended`() throws {
        try stage.serve()
        let token = try stage.token("alice")
        let first = try stage.call("GET", "/admin/v1/audit", token).json
        var next = try (first["next"]?.string).orThrow("next")
        #expect(first["entries"]?.array?.isEmpty == true)
        var actions: [String] = []
        func follow(_ more: String = "") throws {
            let page = try stage.call("GET", "/admin/v1/audit?after=\(next)\(more)", token).json
            actions += (page["entries"]?.array ?? []).compactMap { $0["action"]?.string }
            next = try (page["next"]?.string).orThrow("next")
        }
        for _ in 0..<3 { _ = try stage.call("GET", "/admin/v1/resources", token) }
        // One more than there is room for, one at a time, and nothing of its own.
        for _ in 0..<6 { try follow("&limit=1") }
        #expect(actions == ["audit-list", "resource-list", "resource-list", "resource-list"])
        _ = try stage.call("GET", "/admin/v1/policy", token)
        try follow("&action=policy-get&decision=refused&since=0")
        #expect(actions.last == "policy-get" && actions.count == 5)
        for wrong in ["after=x", "limit=0", "limit=501", "since=x", "owner=x"] {
            #expect(try stage.call("GET", "/admin/v1/audit?\(wrong)", token).status == 400, "\(wrong)")
        }
    }

    @Test func `calls are counted by action and decision`() throws {
        let port = try RawClient.freePort()
        try stage.serve([:], ["--no-tls", "--operations", "127.0.0.1:\(port)"])
        let token = try stage.token("alice")
        _ = try stage.call("GET", "/admin/v1/resources", token)
        _ = try stage.call("GET", "/admin/v1/policy", token)
        let metrics = try stage.call("GET", "http://127.0.0.1:\(port)/metrics", nil).body
        #expect(metrics.contains(#"cvm_broker_admin_calls_total{action="resource-list",decision="granted"} 1"#))
        #expect(metrics.contains(#"cvm_broker_admin_calls_total{action="policy-get",decision="refused"} 1"#))
        #expect(metrics.contains(#"cvm_broker_requests_total{endpoint="admin",status="200",error=""} 1"#))
        #expect(!metrics.contains("cvm_broker_decisions_total{"))
    }
}
