// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import PinKit
import Testing

/// Everything that does not depend on TLS is tried with it and without it.
@Suite struct HTTPClientTests {
    static let servers = Result { [try Server.plain, try Server.tls] }

    private func client(of server: Server) throws -> HTTPClient {
        try HTTPClient(tlsPin: server.pin.isEmpty ? nil : server.pin)
    }

    private func echo(_ response: HTTPResponse) throws -> JSON {
        #expect(response.status == 200)
        return try JSON(parsing: response.body)
    }

    @Test(arguments: try servers.get()) func `the server gets the body and its answer comes back`(server: Server) throws {
        for body in ["", "{}"] {
            let response = try client(of: server)
                .post("\(server.url)/echo", body: Array(body.utf8), contentType: "a/b", before: .after(seconds: 10))
            let answer = try echo(response)
            #expect(answer["body"]?.string == body && answer["type"]?.string == "a/b")
        }
    }

    @Test(arguments: try servers.get()) func `a GET asks for a path with its query and for a type`(server: Server) throws {
        let response = try client(of: server).get("\(server.url)/echo?a=b%20c", accept: "c/d", before: .after(seconds: 10))
        let answer = try echo(response)
        #expect(answer["path"]?.string == "/echo?a=b%20c" && answer["accept"]?.string == "c/d")
        #expect(answer["host"]?.string == String(server.url.drop { $0 != "/" }.dropFirst(2)))
    }

    @Test(arguments: try servers.get()) func `a call goes out by its method, with its token and its body`(server: Server)
        throws
    {
        let token = SecretBytes(copyingPublic: Array("cvmt.0011.abc-_".utf8))
        let client = try client(of: server)
        for (method, body) in [("PUT", "very secret"), ("DELETE", ""), ("GET", "")] {
            let answer = try echo(
                client.call(
                    method, "\(server.url)/echo", fields: ["Content-Type: a/b"], token: token,
                    body: SecretBytes(copyingPublic: Array(body.utf8)), before: .after(seconds: 10)))
            #expect(answer["method"]?.string == method && answer["body"]?.string == body && answer["type"]?.string == "a/b")
            #expect(answer["authorization"]?.string == "Bearer cvmt.0011.abc-_")
        }
        let none = try echo(client.get("\(server.url)/echo", before: .after(seconds: 10)))
        #expect(none["authorization"] == .null)
    }

    @Test(arguments: ["a\r\nX: y", "a b", "\u{7f}"])
    func `a token or a header that would be more than one line is malformed`(text: String) throws {
        let url = try Server.plain.url + "/echo"
        let bad = SecretBytes(copyingPublic: Array(text.utf8))
        let good = SecretBytes(copyingPublic: Array("a".utf8))
        #expect(throws: PinError(.malformed)) {
            try HTTPClient().call("GET", url, fields: [], token: bad, body: good, before: .after(seconds: 10))
        }
        #expect(throws: PinError(.malformed)) {
            try HTTPClient().call("GET", url, fields: ["X: a\r\nY: b"], token: good, body: good, before: .after(seconds: 10))
        }
    }

    @Test(arguments: [0, 3, 31, 33, 63, 65, 96])
    func `a pin of another length is malformed`(count: Int) {
        #expect(throws: PinError(.malformed)) { try HTTPClient(tlsPin: [UInt8](repeating: 1, count: count)) }
    }

    @Test(arguments: try servers.get()) func `requests share a connection and the cookie`(server: Server) throws {
        let client = try client(of: server)
        let responses = try (1...3).map { number in
            try client.post("\(server.url)/echo", body: Array("\(number)".utf8), before: .after(seconds: 10))
        }
        let answers = try responses.map(echo)
        #expect(answers.map { $0["body"]?.string } == ["1", "2", "3"])
        #expect(Set(answers.map { $0["port"]?.integer }).count == 1)
        #expect(answers.map { $0["cookie"] } == [.null, "kbs-session-id=abc", "kbs-session-id=abc"])
        #expect(responses[2].header("SET-COOKIE") == "kbs-session-id=abc; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
    }

    @Test func `another server hears nothing of the first one's cookie`() throws {
        let (first, second) = (try Server.plain, try Server.start(nil, []))
        let client = try HTTPClient()
        for server in [first, second] {
            let answer = try echo(client.post("\(server.url)/echo", body: [], before: .after(seconds: 10)))
            #expect(answer["cookie"] == .null)
        }
    }

    @Test func `a connection that was begun ahead or handed over is the next client's`() throws {
        let server = try Server.start(nil, [])
        HTTPClient.prepare(for: server.url)
        let ports = try (1...2).map { _ in
            let client = HTTPClient(connectingTo: server.url)
            defer { client.handOver() }
            let answer = try client.post("\(server.url)/echo", body: [], before: .after(seconds: 10))
            return try JSON(parsing: answer.body)
        }
        #expect(ports[0]["port"] == ports[1]["port"] && ports[0]["port"] != nil)
        // One that nobody asked anything would have been a second one.
        #expect(ports[1]["connections"]?.integer == 1)
    }

    @Test(arguments: try servers.get())
    func `a server that has closed meanwhile is asked over another connection`(server: Server) throws {
        let client = try client(of: server)
        // Closed by the server after the answer, without saying so in it.
        #expect(try client.post("\(server.url)/leave", body: [], before: .after(seconds: 10)).status == 200)
        #expect(try client.post("\(server.url)/denied", body: [], before: .after(seconds: 10)).status == 403)
    }

    @Test(arguments: try servers.get())
    func `a request that a new connection swallows is not sent again, nor one that was answered in part`(server: Server)
        throws
    {
        for path in ["swallow", "part"] {
            let client = try client(of: server)
            if path == "part" { _ = try client.post("\(server.url)/denied", body: [], before: .after(seconds: 10)) }
            let name = "\(path)-\(UUID().uuidString)"
            #expect(throws: PinError(.unavailable)) {
                try client.post("\(server.url)/\(path)?\(name)", body: [], before: .after(seconds: 10))
            }
            let count = try echo(client.post("\(server.url)/count?\(name)", body: [], before: .after(seconds: 10)))
            #expect(count["count"]?.integer == 1)
        }
    }

    @Test(arguments: try servers.get())
    func `what a server says before it has read a request, which it then does not, is heard`(server: Server) throws {
        let body = [UInt8](repeating: UInt8(ascii: "y"), count: 8 << 20)
        let response = try client(of: server).post("\(server.url)/early", body: body, before: .after(seconds: 20))
        #expect(response.status == 413 && response.body == Array("too much".utf8))
    }

    @Test(arguments: ["https://127.0.0.1:1/echo", "http://127.0.0.1:1/echo"])
    func `a closed port is unavailable, with the address and the time`(url: String) throws {
        let error = #expect(throws: PinError(.unavailable)) {
            try HTTPClient().post(url, body: [1], before: .after(seconds: 10))
        }
        #expect(error?.step == "POST \(url)")
        #expect(error?.detail.hasPrefix("connect to 127.0.0.1 port 1: Connection refused (tried for ") == true)
        #expect(error?.detail.hasSuffix(" ms)") == true)
    }

    @Test func `a name that nobody has is unavailable with the reason`() throws {
        let error = #expect(throws: PinError(.unavailable)) {
            try HTTPClient().get("https://nobody.invalid/", before: .after(seconds: 20))
        }
        #expect(error?.detail.hasPrefix("look up nobody.invalid: ") == true)
    }

    @Test(arguments: try servers.get(), ["hang", "stall-head", "stall-body", "drip-fields", "drip-chunks"])
    func `a server that stalls, or never ends, ends at the deadline`(server: Server, path: String) throws {
        let client = try client(of: server)
        let start = ContinuousClock.now
        let error = #expect(throws: PinError(.unavailable)) {
            try client.post("\(server.url)/\(path)", body: [1], before: .after(milliseconds: 500))
        }
        let taken = ContinuousClock.now - start
        #expect(error?.detail.hasPrefix("no answer before the deadline") == true)
        #expect(taken >= .milliseconds(450) && taken < .seconds(5), "\(taken)")
    }

    @Test func `after the deadline nothing is tried`() throws {
        let error = #expect(throws: PinError(.unavailable)) {
            try HTTPClient().post("\(try Server.plain.url)/echo", body: [1], before: .after(seconds: 0))
        }
        #expect(error?.detail == "not tried: the deadline has passed")
    }

    @Test(arguments: try servers.get()) func `an answer may come in single bytes`(server: Server) throws {
        let response = try client(of: server).post("\(server.url)/trickle", body: [1], before: .after(seconds: 20))
        #expect(response.status == 200 && response.body == Array("slowly".utf8))
    }

    @Test func `the longest body is taken`() throws {
        let server = try Server.plain
        let response = try HTTPClient().post("\(server.url)/largest", body: [1], before: .after(seconds: 10))
        #expect(response.body.count == HTTPClient.maximumBody)
    }

    @Test(arguments: try servers.get(), ["large", "endless", "endless-body"])
    func `a longer body is refused, whether its length is said or not`(server: Server, path: String) throws {
        let error = #expect(throws: PinError(.refused)) {
            try client(of: server).post("\(server.url)/\(path)", body: [1], before: .after(seconds: 10))
        }
        #expect(error?.detail == "the answer is longer than 1048576 bytes")
    }

    @Test func `a head, and sizes of chunks, without end are no answer`() throws {
        for path in ["endless-head", "endless-sizes", "endless-trailer"] {
            let error = #expect(throws: PinError(.unavailable)) {
                try HTTPClient().post("\(try Server.plain.url)/\(path)", body: [1], before: .after(seconds: 10))
            }
            #expect(error?.detail.hasPrefix("not an answer of HTTP/1: its lines are longer than 64 KiB") == true)
        }
    }

    @Test(arguments: [("redirect", 302), ("denied", 403)])
    func `a redirect or a no is an answer like another`(path: String, status: Int) throws {
        let response = try HTTPClient().post("\(try Server.plain.url)/\(path)", body: [1], before: .after(seconds: 10))
        #expect(response.status == status)
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
        for client in [try HTTPClient(allowsPlainHTTP: true), HTTPClient(connectingTo: url)] {
            #expect(throws: PinError(.malformed)) { try client.post(url, body: [1], before: .after(seconds: 1)) }
        }
    }
}
