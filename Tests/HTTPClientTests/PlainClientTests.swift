// SPDX-License-Identifier: Apache-2.0
import HTTPClient
import PinKit
import Testing

@Suite struct PlainClientTests {
    @Test func `two requests share a connection`() throws {
        let server = try Server.plain
        let client = try #require(PlainClient(for: server.url))
        let answers = try (1...2).map { number in
            let body = Array("\(number)".utf8)
            let url = "\(server.url)/echo"
            let answer = try client.post(url, body: body, contentType: "application/json", before: .after(seconds: 10))
            return try JSON(parsing: answer.body)
        }
        #expect(answers.map { $0["body"]?.string } == ["1", "2"])
        #expect(answers[0]["port"] == answers[1]["port"] && answers[0]["port"] != nil)
        #expect(answers[1]["type"]?.string == "application/json")
    }

    @Test func `a connection that was handed over is the next client's`() throws {
        let server = try Server.plain
        let ports = try (1...2).map { _ in
            let client = try #require(PlainClient(for: server.url))
            defer { client.handOver() }
            let answer = try client.post("\(server.url)/echo", body: [], contentType: "a/b", before: .after(seconds: 10))
            return try JSON(parsing: answer.body)["port"]
        }
        #expect(ports[0] == ports[1])
    }

    @Test func `a server that has closed meanwhile is asked over another connection`() throws {
        let server = try Server.plain
        let client = try #require(PlainClient(for: server.url))
        // Closed by the server after the answer, without saying so in it.
        let first = try client.post("\(server.url)/leave", body: [], contentType: "a/b", before: .after(seconds: 10))
        let second = try client.post("\(server.url)/denied", body: [], contentType: "a/b", before: .after(seconds: 10))
        #expect(first.status == 200 && second.status == 403)
    }

    @Test func `the longest body is taken, and a longer one is refused, whether its length is said or not`() throws {
        let server = try Server.plain
        for (path, code) in [("largest", nil), ("large", PinError.Code.refused), ("endless", .refused)] {
            let client = try #require(PlainClient(for: server.url))
            let answer = Result {
                try client.post("\(server.url)/\(path)", body: [], contentType: "a/b", before: .after(seconds: 10))
            }
            switch answer {
            case .success(let answer): #expect(code == nil && answer.body.count == HTTPClient.maximumBody)
            case .failure(let error): #expect((error as? PinError)?.code == code)
            }
        }
    }

    @Test func `a name is looked up`() throws {
        let server = try Server.plain
        let port = try #require(PlainAddress(server.url)).port
        let url = "http://localhost:\(port)"
        let client = try #require(PlainClient(for: url))
        let answer = try client.post("\(url)/denied", body: [], contentType: "a/b", before: .after(seconds: 10))
        #expect(answer.status == 403)
    }

    @Test func `a name that nobody has, and a closed port, are unavailable with the reason`() throws {
        let name = try #require(PlainClient(for: "http://nobody.invalid/"))
        let unknown = try #require(throws: PinError(.unavailable)) {
            try name.get("http://nobody.invalid/", before: .after(seconds: 10))
        }
        #expect(unknown.detail.hasPrefix("look up nobody.invalid: "))
        let port = try #require(PlainClient(for: "http://127.0.0.1:1/"))
        let closed = try #require(throws: PinError(.unavailable)) {
            try port.get("http://127.0.0.1:1/", before: .after(seconds: 10))
        }
        #expect(closed.step == "GET http://127.0.0.1:1/")
        #expect(closed.detail.hasPrefix("connect to 127.0.0.1 port 1: Connection refused (tried for "))
    }

    @Test func `a server that never answers ends at the deadline`() throws {
        let server = try Server.plain
        let client = try #require(PlainClient(for: server.url))
        let clock = ContinuousClock()
        let time = try clock.measure {
            let error = try #require(throws: PinError(.unavailable)) {
                try client.post("\(server.url)/hang", body: [], contentType: "a/b", before: .after(milliseconds: 300))
            }
            #expect(error.detail.hasPrefix("no answer before the deadline"))
        }
        #expect(time >= .milliseconds(250) && time < .seconds(5))
    }

    @Test func `another server's address is not this client's`() throws {
        let client = try #require(PlainClient(for: "http://127.0.0.1:1/"))
        #expect(throws: PinError(.malformed)) { try client.get("http://127.0.0.1:2/", before: .after(seconds: 1)) }
    }
}

@Suite struct PlainAddressTests {
    @Test(arguments: [
        ("http://192.0.2.1", "192.0.2.1", 80, "/", "192.0.2.1"),
        ("http://a.example:7500/adv/x_-y", "a.example", 7500, "/adv/x_-y", "a.example:7500"),
        ("http://[2001:db8::1]:81/rec", "2001:db8::1", 81, "/rec", "[2001:db8::1]:81"),
    ]) func `an address is host, port and path`(url: String, host: String, port: UInt16, path: String, authority: String)
        throws
    {
        let address = try #require(PlainAddress(url))
        #expect(address.host == host && address.port == port && address.path == path && address.authority == authority)
    }

    @Test(arguments: [
        "https://a.example/", "HTTP://a.example/", "http://", "http:///adv", "http://a:b@c.example/", "http://a.example:0/",
        "http://a.example:65536/", "http://a.example:/", "http://a.example:8x/", "http://a.example/a/../b",
        "http://a.example/.b",
        "http://a.example/?q", "http://a.example/#f", "http://a.example/%41", "http://a.example/a b",
        "http://a.example/\r\nX: y",
        "http://ä.example/", "http://[::1", "http://[a.example]/", "http://[::1%25lo]/",
        "http://a.example\\b/",
    ]) func `what is not plain is left to libcurl`(url: String) { #expect(PlainAddress(url) == nil) }
}
