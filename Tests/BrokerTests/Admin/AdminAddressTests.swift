// SPDX-License-Identifier: Apache-2.0
import Broker
import Foundation
import PinKit
import Testing

/// Where administrators reach a broker, and what they must show there.
@Suite struct AdminAddressTests {
    let stage: AdminStage

    init() throws { stage = try AdminStage() }

    /// The address of administrators when `admin` says "listen" on a port of its own.
    private func serve(_ admin: JSONObject, _ options: [String] = []) throws -> String {
        let port = try RawClient.freePort()
        var admin = admin
        admin["listen"] = .string("127.0.0.1:\(port)")
        try stage.serve(.object(admin), options)
        return "https://127.0.0.1:\(port)"
    }

    private var trust: [String] { ["--cacert", stage.directory + "/tls-cert.pem"] }

    /// A key with its self-signed certificate, or one that `authority` issued.
    private func certificate(_ name: String, by authority: String? = nil) throws -> (options: [String], file: String) {
        let base = "\(stage.scratch.path)/\(name)"
        var arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=\(name)", "-keyout", base + ".key", "-out", base + ".pem",
        ]
        if let authority { arguments += ["-CA", authority + ".pem", "-CAkey", authority + ".key"] }
        let made = try BrokerProcess.run("/usr/bin/openssl", arguments)
        guard made.status == 0 else { throw Missing(what: made.errors) }
        return (["--cert", base + ".pem", "--key", base + ".key"], base + ".pem")
    }

    @Test func `an address of their own serves administrators alone, and the guests' guests alone`() throws {
        let admin = try serve([:])
        let token = try stage.token("alice")
        #expect(try stage.call("GET", admin + "/admin/v1/resources", token, trust).status == 200)
        #expect(try stage.call("GET", stage.url + "/admin/v1/resources", token, trust).status == 404)
        #expect(try stage.call("POST", admin + "/kbs/v0/auth", nil, body: "{}", trust).status == 404)
        #expect(try stage.call("POST", stage.url + "/kbs/v0/auth", nil, body: "{}", trust).status == 400)
    }

    @Test func `with an authority only its clients get in, each with a token`() throws {
        _ = try certificate("authority")
        let authority = stage.scratch.path + "/authority"
        let admin = try serve(["client_ca": .string(authority + ".pem")])
        let token = try stage.token("alice")
        let good = try certificate("good", by: authority)
        let stranger = try certificate("stranger")
        let path = admin + "/admin/v1/resources"
        #expect(try stage.call("GET", path, token, trust + good.options).status == 200)
        #expect(try stage.call("GET", path, nil, trust + good.options).status == 401)
        for options in [[], stranger.options] {
            #expect(throws: Missing.self) { try stage.call("GET", path, token, trust + options) }
        }
        // The guests' address asks nobody for a certificate.
        #expect(try stage.call("GET", stage.url + "/healthz", nil, trust).status == 200)
    }

    @Test func `a token that names a client's key is good with that key alone`() throws {
        let admin = try serve(["client_pins": true])
        let (mine, other) = (try certificate("mine"), try certificate("other"))
        let bound = try stage.token("alice", "--client-cert", mine.file)
        let free = try stage.token("alice")
        let path = admin + "/admin/v1/resources"
        #expect(try stage.call("GET", path, bound, trust + mine.options).status == 200)
        #expect(try stage.call("GET", path, bound, trust + other.options).status == 401)
        #expect(try stage.call("GET", path, free, trust + mine.options).status == 401)
        #expect(throws: Missing.self) { try stage.call("GET", path, bound, trust) }
    }

    @Test func `where nobody is asked for a certificate a token that names one is refused`() throws {
        try stage.serve()
        let token = try stage.token("alice", "--client-cert", certificate("mine").file)
        #expect(try stage.call("GET", "/admin/v1/resources", token).status == 401)
    }

    @Test func `what is wrong with the section is said by line`() throws {
        let config = stage.scratch.path + "/config.json"
        func check(_ admin: String, _ more: String = "") throws -> [String] {
            let text = "{\"directory\": \"\(stage.directory)\",\(more)\n\"admin\": {\n\(admin)\n}}"
            try text.write(toFile: config, atomically: false, encoding: .utf8)
            let output = try BrokerProcess.run(["check", config])
            return output.status == 0
                ? []
                : output.errors.split(separator: "\n").filter { $0.hasPrefix(config) }.map {
                    String($0.dropFirst(config.count))
                }
        }
        #expect(try check(#""listen": "127.0.0.1:9443", "client_pins": true"#).isEmpty)
        #expect(
            try check(#""x": 1,"# + "\n" + #""listen": 7"#) == [
                ":3: admin.x: is no setting", ":4: admin.listen: must be a string",
            ])
        #expect(
            try check(#""client_pins": false,"# + "\n" + #""listen": "nowhere""#)[0].hasPrefix(
                ":4: admin.listen: nowhere is not"))
        #expect(
            try check(#""listen": "a:1","# + "\n" + #""client_ca": "/nonexistent""#)[0].hasPrefix(
                ":4: admin.client_ca: cannot read"))
        #expect(try check(#""client_pins": true"#)[0].hasPrefix(":2: admin: client certificates take TLS"))
        #expect(try check(#""listen": "0.0.0.0:1""#, #" "no_tls": true,"#)[0].contains("0.0.0.0 is not a loopback address"))
    }
}
