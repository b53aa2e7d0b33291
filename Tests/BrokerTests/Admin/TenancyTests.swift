// SPDX-License-Identifier: Apache-2.0
import Broker
import Foundation
import PinKit
import Testing

/// Every call, made by one owner upon what is another's, and upon what there is not: the answers are the same.
@Suite(.eachStore) struct TenancyTests {
    let stage: AdminStage
    private let alice: String
    private let mallory: String
    private let binding: String
    private let chip: String

    /// A call that Mallory makes twice: of what is Alice's, and of what is nobody's.
    private struct Line {
        let route: String
        let hers: String
        let nobodys: String
        let body: (hers: String, nobodys: String)?
        /// nil where the call changes or lists Mallory's own, and so succeeds.
        let status: Int?

        init(
            _ route: String, _ hers: String = "", _ nobodys: String = "", body: (hers: String, nobodys: String)? = nil,
            status: Int? = nil
        ) {
            self.route = route
            self.hers = hers
            self.nobodys = nobodys
            self.body = body
            self.status = status
        }
    }

    private func lines() throws -> [Line] {
        let (mine, policy) = (
            "alice-disks/disk/root", #"{"tdx":{"covers":["firmware"],"mrtd":["\#(String(repeating: "B", count: 64))"]}}"#
        )
        let kbsPolicy = JSON.object(["policy": .string(Base64URL.encode(Array(policy.utf8)))]).canonical
        let key = try SigningKey.generate().publicKey.jwk
        let hers = try JSON.object(["name": "x", "key": stage.owners["alice"].orThrow("alice").publicKey.jwk]).canonical
        let sets = try (hers: stage.referenceSet("root-image", by: "alice", version: 9), nobodys: strangersSet())
        let revocation = (
            hers: #"{"binding":"\#(binding)"}"#, nobodys: #"{"binding":"\#(Base64URL.encode(try Random.bytes(16)))"}"#
        )
        return [
            Line("GET /admin/v1/public"), Line("GET /admin/v1/resources"),
            Line("GET /admin/v1/resources/:repository/:type/:tag", mine, "nobodys/disk/root", status: 404),
            Line("GET /admin/v1/resources/:repository/:type/:tag", mine, "alice-disks/disk/none", status: 404),
            Line("GET /admin/v1/resources/:repository/:type/:tag", mine, "mallory-disks/disk/none", status: 404),
            Line("PUT /admin/v1/resources/:repository/:type/:tag", mine, "nobodys/disk/root", body: ("x", "x"), status: 404),
            Line(
                "PUT /admin/v1/resources/:repository/:type/:tag", mine, "alice-disks/disk/none", body: ("x", "x"),
                status: 404),
            Line("DELETE /admin/v1/resources/:repository/:type/:tag", mine, "nobodys/disk/root", status: 404),
            Line("DELETE /admin/v1/resources/:repository/:type/:tag", mine, "alice-disks/disk/none", status: 404),
            Line("GET /admin/v1/policy", status: 404), Line("GET /kbs/v0/resource-policy", status: 404),
            Line("PUT /admin/v1/policy", body: (policy, policy)),
            Line("POST /kbs/v0/resource-policy", body: (kbsPolicy, kbsPolicy)),
            Line("GET /admin/v1/revocations"), Line("POST /admin/v1/revocations", body: revocation),
            Line("GET /admin/v1/reference-sets"), Line("POST /admin/v1/reference-sets", body: sets, status: 403),
            Line("GET /admin/v1/audit"), Line("GET /admin/v1/audit", "?resource=\(mine)", "?resource=nobodys/disk/root"),
            Line("GET /admin/v1/audit", "?after=e30&binding=\(binding)", "?after=e30&binding=x"),
            Line("GET /admin/v1/owners", status: 403),
            Line("POST /admin/v1/owners", body: (hers, JSON.object(["name": "x", "key": key]).canonical), status: 403),
            Line("POST /kbs/v0/resource/:repository/:type/:tag", mine, "nobodys/disk/root", body: ("x", "x"), status: 404),
            Line("POST /kbs/v0/attestation-policy", body: ("{}", "{}"), status: 501),
            Line("GET /kbs/v0/reference-value/:id", "root-image", "none", status: 501),
            Line("POST /kbs/v0/reference-value", body: ("{}", "{}"), status: 501),
        ]
    }

    init() throws {
        stage = try AdminStage()
        binding = Base64URL.encode(try Random.bytes(16))
        chip = Base64URL.encode(try Random.bytes(64))
        try stage.serve()
        (alice, mallory) = (try stage.token("alice"), try stage.token("mallory"))
        try fill()
    }

    /// Something of Alice's for every call, with words that nothing of Mallory's has.
    private func fill() throws {
        let calls: [(method: String, path: String, body: String)] = try [
            ("PUT", "/admin/v1/policy", AdminStage.policy.canonical),
            ("PUT", "/admin/v1/resources/alice-disks/disk/root", "very secret"),
            ("POST", "/admin/v1/revocations", #"{"binding":"\#(binding)","note":"alice's words"}"#),
            ("POST", "/admin/v1/revocations", #"{"chip":"\#(chip)"}"#),
            ("POST", "/admin/v1/reference-sets", stage.referenceSet("root-image", by: "alice")),
        ]
        for (method, path, body) in calls {
            let answer = try stage.call(method, path, alice, body: body)
            try #require(answer.status == 200, "\(path): \(answer.body)")
        }
        // An operator's: nobody's to see.
        try stage.store.revoke(.chip(Base64URL.encode(Random.bytes(64)), owner: nil), note: "everybody's", at: stage.now)
    }

    private func strangersSet() throws -> String {
        try stage.referenceSet("root-image", by: SigningKey.generate(), version: 9)
    }

    /// What shows that an answer has anything of Alice's.
    private func marks() throws -> [String] {
        [
            try stage.thumbprint("alice"), String(alice.split(separator: ".")[1]), binding, chip, "alice", "root-image",
            "very secret", "everybody's", Base64URL.encode(Array("alice".utf8)),
        ]
    }

    private func call(_ line: Line, _ isHers: Bool, as token: String) throws -> AdminStage.Answer {
        let words = line.route.split(separator: " ")
        let target = isHers ? line.hers : line.nobodys
        let path = target.hasPrefix("?") ? words[1] + target : words[1].prefix { $0 != ":" } + target
        let options = line.route.hasPrefix("P") && line.body?.hers == "x" ? AdminStage.policyHeader : []
        return try stage.call(
            String(words[0]), String(path), token, body: isHers ? line.body?.hers : line.body?.nobodys, options)
    }

    /// All that Alice can see of what is hers, but for the log.
    private func view(of token: String) throws -> [String] {
        try ["resources", "resources/alice-disks/disk/root", "policy", "revocations", "reference-sets"].map {
            try stage.call("GET", "/admin/v1/" + $0, token).body
        }
    }

    @Test func `every call that there is has a line here`() throws {
        let known = Set(try lines().map(\.route))
        for route in AdminRoute.all {
            #expect(
                known.contains("\(route.method) \(route.path)"), "\(route.method) \(route.path) is not tried across owners")
        }
        #expect(known.count == Set(AdminRoute.all.map { "\($0.method) \($0.path)" }).count)
    }

    @Test func `what is another's is not refused but is not there`() throws {
        let before = try view(of: alice)
        #expect(before.joined().contains(binding) && before.joined().contains("root-image"))
        for line in try lines() {
            let (hers, nobodys) = (try call(line, true, as: mallory), try call(line, false, as: mallory))
            #expect(
                hers.status == nobodys.status && hers.status == line.status ?? 200,
                "\(line.route): \(hers.body) \(nobodys.body)")
            #expect(try words(of: hers, line.hers) == words(of: nobodys, line.nobodys), "\(line.route)")
            let told = (line.body?.hers ?? "") + line.hers
            for mark in try marks() where !told.contains(mark) {
                #expect(try !shown(by: hers).contains(mark), "\(line.route) shows \(mark): \(hers.body)")
            }
        }
        #expect(try view(of: alice) == before)
    }

    /// An answer without what the caller named in earlier calls, which the log repeats.
    private func shown(by answer: AdminStage.Answer) throws -> String {
        guard var object = try answer.json.object, let entries = object["entries"]?.array else { return answer.body }
        object["entries"] = .array(
            entries.map { entry in
                var members = entry.object ?? [:]
                for name in ["resource", "reason"] { members[name] = nil }
                return .object(members)
            })
        return JSON.object(object).canonical
    }

    /// An answer without what differs from call to call: moments, the names that the caller gave, how far the log is read, and what
    /// the caller's own calls left in it.
    private func words(of answer: AdminStage.Answer, _ target: String) throws -> JSON {
        guard var object = try answer.json.object else { return try answer.json }
        for name in ["next", "revoked_at", "set_at", "binding"] { object[name] = nil }
        if object["entries"] != nil { object["entries"] = nil }
        if let detail = object["detail"]?.string, let repository = target.split(separator: "/").first {
            object["detail"] = .string(detail.replacingOccurrences(of: repository, with: "REPOSITORY"))
        }
        return .object(object)
    }

    @Test func `an owner's part of the log has nothing of another's, from the first entry on`() throws {
        for line in try lines() { _ = try call(line, true, as: mallory) }
        for query in ["?limit=500", "?after=e30&limit=500"] {
            let entries = try (stage.call("GET", "/admin/v1/audit" + query, mallory).json["entries"]?.array).orThrow(
                "entries")
            #expect(entries.count > 10)
            let thumbprint = try stage.thumbprint("mallory")
            #expect(entries.allSatisfy { $0["owner"]?.string == thumbprint })
        }
        let entries = try (stage.call("GET", "/admin/v1/audit?limit=500", alice).json["entries"]?.array).orThrow("entries")
        #expect(entries.count == 5 && entries.allSatisfy { $0["actor"]?.string == String(alice.split(separator: ".")[1]) })
    }

    @Test func `a list has the same entries whatever others have`() throws {
        for path in ["resources", "revocations", "reference-sets"] {
            let list = try stage.call("GET", "/admin/v1/" + path, mallory).json.object.orThrow("an object")
            #expect(list.members.count == 1 && list.members[0].value.array?.isEmpty == true, "\(path)")
        }
    }
}
