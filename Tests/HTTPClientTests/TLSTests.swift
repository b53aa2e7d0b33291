// SPDX-License-Identifier: Apache-2.0
import Foundation
@testable import HTTPClient
import PinKit
import Testing

@Suite struct TLSTests {
    private func ask(_ server: Server, _ path: String = "echo", pin: [UInt8]? = nil, milliseconds: Int = 10_000) throws
        -> HTTPResponse
    {
        try HTTPClient(tlsPin: pin ?? server.pin)
            .post("\(server.url)/\(path)", body: Array("1".utf8), before: .after(milliseconds: milliseconds))
    }

    @Test func `the pinned key is enough: dates, names and authorities are not looked at`() throws {
        #expect(try ask(Server.expired).status == 200)
    }

    @Test func `a server with another key is refused and says so`() throws {
        let server = try Server.tls
        let error = #expect(throws: PinError(.refused)) { try ask(server, pin: [UInt8](repeating: 0, count: 32)) }
        #expect(error?.step == "POST \(server.url)/echo")
        #expect(error?.detail == "the server's TLS key is not the pinned one")
    }

    @Test func `of two pins either will do`() throws {
        let server = try Server.tls
        let other = [UInt8](repeating: 0, count: 32)
        for pins in [server.pin + other, other + server.pin] { #expect(try ask(server, pin: pins).status == 200) }
        #expect(throws: PinError(.refused)) { try ask(server, pin: other + other) }
    }

    @Test func `without a pin a self-made certificate is refused`() throws {
        let error = #expect(throws: PinError(.refused)) {
            try HTTPClient().get("\(try Server.tls.url)/", before: .after(seconds: 10))
        }
        #expect(error?.detail == "the server's certificate is not trusted: self-signed certificate")
    }

    @Test func `authorities that are given stand in for the system's`() throws {
        let server = try Server.tls
        func ask(_ authorities: [UInt8]) throws(PinError) -> Int {
            try HTTPClient(authorities: authorities)
                .post("\(server.url(at: "localhost"))/echo", body: [], before: .after(seconds: 10)).status
        }
        let all = Array(try Data(contentsOf: URL(fileURLWithPath: Server.authorities)))
        #expect(try ask(all) == 200)
        let error = #expect(throws: PinError(.unavailable)) { try ask(Array("no PEM".utf8)) }
        #expect(error?.detail.contains("are not PEM") == true)
    }

    /// In a process of its own, since whom a system trusts is read once.
    @Test func `without a pin a trusted certificate counts for its names and its time`() async {
        await #expect(processExitsWith: .success) {
            let (named, numbered, expired) = (try Server.tls, try Server.numbered, try Server.expired)
            unsafe setenv("SSL_CERT_FILE", try Server.authorities, 1)
            func verdict(_ url: String) -> String {
                do throws(PinError) {
                    return "\(try HTTPClient().post(url, body: [], before: .after(seconds: 10)).status)"
                } catch {
                    return error.detail
                }
            }
            let untrusted = "the server's certificate is not trusted: "
            let verdicts = [
                (named.url(at: "localhost"), "200"),
                (named.url, "\(untrusted)IP address mismatch"),
                (numbered.url, "200"),
                (numbered.url(at: "localhost"), "\(untrusted)hostname mismatch"),
                (expired.url(at: "localhost"), "\(untrusted)certificate has expired"),
            ]
            for (url, expected) in verdicts where verdict(url) != expected {
                print(url, verdict(url), "and not", expected)
                exit(1)
            }
        }
    }

    @Test(arguments: ["1.0", "1.1"]) func `older versions than TLS 1.2 are not spoken`(version: String) throws {
        let server = try Server.start(.localhost, ["--version", version])
        let error = #expect(throws: PinError(.unavailable)) { try ask(server) }
        #expect(error?.detail.hasPrefix("TLS: ") == true, "\(String(describing: error))")
    }

    @Test(arguments: [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")])
    func `TLS 1.2 and 1.3 are spoken, with HTTP/1.1 as the protocol and the name where it is one`(
        version: String, name: String
    ) throws {
        let server = try Server.start(.localhost, ["--version", version])
        let client = try HTTPClient(tlsPin: server.pin)
        for (host, sent) in [("127.0.0.1", JSON.null), ("localhost", "localhost")] {
            let answer = try client.post("\(server.url(at: host))/tls", body: [], before: .after(seconds: 10))
            let said = try JSON(parsing: answer.body)
            #expect(said["version"]?.string == name && said["protocol"]?.string == "http/1.1")
            #expect(said["name"] == sent)
        }
    }

    @Test func `a dot at the end of a name is for the lookup, and not said to the server`() throws {
        let url = try #require(RequestURL("https://a.example./"))
        let session = try TLSSession(with: Peer(url, pin: [UInt8](repeating: 0, count: 32)))
        guard case .hungry = session.write([1]) else {
            throw Unexpected()
        }
        let hello = String(decoding: session.takeOutgoing(), as: UTF8.self)
        #expect(hello.contains("a.example") && !hello.contains("a.example."))
    }

    @Test func `a session that ends before it began leaves no error for others to find`() throws {
        let url = try #require(RequestURL("https://a.example/"))
        let session = try TLSSession(with: Peer(url, pin: [UInt8](repeating: 0, count: 32)))
        guard case .hungry = session.write([1]) else { throw Unexpected() }
        session.end()
        #expect(opensslReason() == "libcrypto gave no reason")
    }

    private struct Unexpected: Error {}

    @Test func `key exchange without forward secrecy is not spoken`() throws {
        let server = try Server.start(.rsa, ["--version", "1.2", "--ciphers", "AES128-GCM-SHA256"])
        #expect(throws: PinError(.unavailable)) { try ask(server) }
    }

    @Test func `a server that asks to negotiate anew gets no other session`() throws {
        let server = try Server.start(.localhost, ["--renegotiate"])
        let error = #expect(throws: PinError(.unavailable)) { try ask(server) }
        #expect(error?.detail.contains("TLS") == true, "\(String(describing: error))")
    }

    @Test func `a server that is silent in the handshake ends at the deadline`() throws {
        let server = try Server.start(nil, ["--silent"])
        let url = "https" + server.url.dropFirst(4)
        let time = try ContinuousClock().measure {
            let error = try #require(throws: PinError(.unavailable)) {
                try HTTPClient(tlsPin: [UInt8](repeating: 0, count: 32)).get(url, before: .after(milliseconds: 300))
            }
            #expect(error.detail.hasPrefix("no answer before the deadline"))
        }
        #expect(time >= .milliseconds(250) && time < .seconds(5))
    }

    @Test func `a server that speaks no TLS is unavailable`() throws {
        let url = "https" + (try Server.plain.url).dropFirst(4)
        let error = #expect(throws: PinError(.unavailable)) {
            try HTTPClient(tlsPin: [UInt8](repeating: 0, count: 32)).get(url, before: .after(seconds: 10))
        }
        #expect(error?.detail.hasPrefix("TLS: wrong version number") == true)
    }

    @Test func `the end of the connection ends an answer only where TLS says it`() throws {
        #expect(try ask(Server.tls, "whole").body == Array("all of it".utf8))
        let error = #expect(throws: PinError(.unavailable)) { try ask(Server.tls, "cut") }
        #expect(error?.detail.hasPrefix("the server broke the TLS connection off in the midst of an answer") == true)
    }

    @Test func `a body of the greatest length goes both ways`() throws {
        let server = try Server.tls
        let body = [UInt8](repeating: UInt8(ascii: "y"), count: HTTPClient.maximumBody)
        let answer = try HTTPClient(tlsPin: server.pin).post(
            "\(server.url)/largest", body: body, before: .after(seconds: 20))
        #expect(answer.body.count == HTTPClient.maximumBody)
    }

    @Test func `a missing libssl is unavailable and says which package brings it`() {
        let error = #expect(throws: PinError(.unavailable)) { try LibSSL(named: "libssl-that-nobody-has.so.3") }
        #expect(error?.detail.contains("libssl3") == true)
    }
}

extension TLSSession {
    fileprivate func write(_ bytes: [UInt8]) -> Outcome { unsafe bytes.withUnsafeBytes { unsafe write($0) } }
}
