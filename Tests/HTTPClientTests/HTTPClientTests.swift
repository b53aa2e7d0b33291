// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import PinKit
import Testing

@Suite struct HTTPClientTests {
    private func echo(_ response: HTTPResponse) throws -> JSON {
        #expect(response.status == 200)
        return try JSON(parsing: response.body)
    }

    @Test func `the pinned server gets the body and its answer comes back`() throws {
        let server = try Server.tls
        let client = try HTTPClient(tlsPin: server.pin)
        let answer = try echo(client.post("\(server.url)/echo", body: Array("{}".utf8), before: .after(seconds: 10)))
        #expect(answer["body"]?.string == "{}")
        #expect(answer["type"]?.string == "application/json")
    }

    @Test func `a server with another key is refused`() throws {
        let server = try Server.tls
        let client = try HTTPClient(tlsPin: [UInt8](repeating: 0, count: 32))
        let error = #expect(throws: PinError.self) {
            try client.post("\(server.url)/echo", body: [1], before: .after(seconds: 10))
        }
        #expect(error?.code == .refused)
        #expect(error?.step == "POST \(server.url)/echo")
    }

    @Test func `without a pin a self-made certificate is refused`() throws {
        let client = try HTTPClient()
        #expect(throws: PinError(.refused)) {
            try client.post("\(try Server.tls.url)/echo", body: [1], before: .after(seconds: 10))
        }
    }

    @Test func `a pin of another length is malformed`() {
        #expect(throws: PinError(.malformed)) { try HTTPClient(tlsPin: [1, 2, 3]) }
    }

    @Test func `two requests share a connection and the cookie`() throws {
        let server = try Server.tls
        let client = try HTTPClient(tlsPin: server.pin)
        let first = try echo(client.post("\(server.url)/echo", body: Array("1".utf8), before: .after(seconds: 10)))
        let second = try echo(client.post("\(server.url)/echo", body: Array("2".utf8), before: .after(seconds: 10)))
        #expect(first["port"] == second["port"])
        #expect(first["cookie"] == .null)
        #expect(second["cookie"]?.string == "kbs-session-id=abc")
        #expect(
            try client.post(server.url + "/echo", body: [], before: .after(seconds: 10)).header("SET-COOKIE")
                == "kbs-session-id=abc")
        #expect(second["body"]?.string == "2")
    }

    @Test func `an empty body is sent as such`() throws {
        let server = try Server.plain
        let answer = try echo(HTTPClient().post("\(server.url)/echo", body: [], before: .after(seconds: 10)))
        #expect(answer["body"]?.string == "")
    }

    @Test func `a closed port is unavailable, with the address and the time`() throws {
        let client = try HTTPClient()
        let error = #expect(throws: PinError.self) {
            try client.post("https://127.0.0.1:1/echo", body: [1], before: .after(seconds: 10))
        }
        #expect(error?.code == .unavailable)
        #expect(error?.step == "POST https://127.0.0.1:1/echo")
        #expect(error?.detail.contains(" ms)") == true && error?.detail.contains("127.0.0.1 port 1") == true)
    }

    @Test func `a server that never answers ends at the deadline`() throws {
        let server = try Server.plain
        let client = try HTTPClient()
        let start = ContinuousClock.now
        let error = #expect(throws: PinError.self) {
            try client.post("\(server.url)/hang", body: [1], before: .after(milliseconds: 300))
        }
        let taken = ContinuousClock.now - start
        #expect(error?.code == .unavailable)
        // libcurl's clock has milliseconds only; the server would take 30 s.
        #expect(taken >= .milliseconds(250) && taken < .seconds(5), "\(taken)")
    }

    @Test func `after the deadline nothing is tried`() throws {
        let client = try HTTPClient()
        let error = #expect(throws: PinError.self) {
            try client.post("\(try Server.plain.url)/echo", body: [1], before: .after(seconds: 0))
        }
        #expect(error?.code == .unavailable)
        #expect(error?.detail.contains("not tried") == true)
    }

    @Test func `the longest body is taken`() throws {
        let server = try Server.plain
        let response = try HTTPClient().post("\(server.url)/largest", body: [1], before: .after(seconds: 10))
        #expect(response.body.count == HTTPClient.maximumBody)
    }

    @Test(arguments: ["large", "endless"]) func `a longer body is refused`(path: String) throws {
        let client = try HTTPClient()
        let error = #expect(throws: PinError.self) {
            try client.post("\(try Server.plain.url)/\(path)", body: [1], before: .after(seconds: 10))
        }
        #expect(error?.code == .refused)
        #expect(error?.detail.contains("longer than") == true)
    }

    @Test func `a redirect is an answer like another`() throws {
        let response = try HTTPClient().post("\(try Server.plain.url)/redirect", body: [1], before: .after(seconds: 10))
        #expect(response.status == 302)
    }

    @Test func `another status is not an error here`() throws {
        let response = try HTTPClient().post("\(try Server.plain.url)/denied", body: [1], before: .after(seconds: 10))
        #expect(response.status == 403)
        #expect(response.body == Array("no".utf8))
    }

    /// In a process of its own: an environment is shared with every other test.
    @Test func `proxies in the environment are ignored`() async {
        await #expect(processExitsWith: .success) {
            // Whoever listens to these ends up at a port where nobody answers.
            for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
                unsafe setenv(name, "http://127.0.0.1:1", 1)
            }
            let (plain, tls) = (try Server.plain, try Server.tls)
            let overHTTP = try HTTPClient().post("\(plain.url)/echo", body: [1], before: .after(seconds: 10))
            let overTLS = try HTTPClient(tlsPin: tls.pin).post("\(tls.url)/echo", body: [1], before: .after(seconds: 10))
            guard overHTTP.status == 200, overTLS.status == 200 else { exit(1) }
        }
    }

    @Test(arguments: ["http://192.0.2.1/", "http://127.example.org/", "http://localhost.example.org/", "http://[::2]/"])
    func `http that leaves this machine is malformed`(url: String) throws {
        let client = try HTTPClient()
        #expect(throws: PinError(.malformed)) { try client.post(url, body: [1], before: .after(seconds: 1)) }
    }

    @Test func `a caller can allow http to elsewhere`() throws {
        let client = try HTTPClient(allowsPlainHTTP: true)
        // 0.0.0.0 is this machine, but no loopback address; nobody listens at the port.
        #expect(throws: PinError(.unavailable)) {
            try client.post("http://0.0.0.0:1/", body: [1], before: .after(seconds: 1))
        }
    }

    @Test(arguments: ["file:///etc/passwd", "gopher://127.0.0.1/", "", "https://"])
    func `another protocol or no address is malformed`(url: String) throws {
        let client = try HTTPClient(allowsPlainHTTP: true)
        #expect(throws: PinError(.malformed)) { try client.post(url, body: [1], before: .after(seconds: 1)) }
    }

    @Test func `a missing libcurl is unavailable and says which package brings it`() {
        let error = #expect(throws: PinError.self) { try LibCurl(named: "libcurl-that-nobody-has.so.4") }
        #expect(error?.code == .unavailable)
        #expect(error?.detail.contains("libcurl4") == true)
    }
}
