// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import Foundation
import PinKit
import Testing

/// What an operator relies on: the program on real sockets, watched, overrun and stopped.
@Suite struct OperatingTests {
    let scratch: TemporaryDirectory
    var directory: String { scratch.path + "/broker" }
    private static let auth = #"{"version":"0.4.0","tee":"snp","extra-params":""}"#

    init() throws {
        scratch = try TemporaryDirectory()
        let made = try BrokerProcess.run(["init", directory])
        try #require(made.status == 0, "\(made.errors)")
    }

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

    /// Where a broker's `--operations` is: a port that was free a moment ago.
    private func operations() throws -> String { "127.0.0.1:\(try RawClient.freePort())" }

    // MARK: - Being watched

    @Test func `what happened is counted, for Prometheus, on an address of its own`() throws {
        let operations = try operations()
        let broker = try ServingBroker(directory: directory, ["--operations", operations])
        #expect(try curl(broker.url + "/kbs/v0/auth", body: Self.auth).status == "200")
        #expect(try curl(broker.url + "/kbs/v0/auth", body: "{").status == "400")
        #expect(try curl(broker.url + "/metrics").status == "404")
        let metrics = try curl("http://\(operations)/metrics", ["-i"]).body
        #expect(metrics.lowercased().contains("content-type: text/plain; version=0.0.4"))
        for line in [
            #"cvm_broker_requests_total{endpoint="auth",status="200",error=""} 1"#,
            #"cvm_broker_requests_total{endpoint="auth",status="400",error="MalformedRequest"} 1"#,
            "cvm_broker_request_seconds_count 3", "cvm_broker_store_up 1", "cvm_broker_deciding 0",
        ] {
            #expect(metrics.split(whereSeparator: \.isNewline).contains { $0 == line }, "\(line) in \(metrics)")
        }
    }

    @Test func `a broker whose store is gone lives and is not ready`() throws {
        let broker = try ServingBroker(directory: directory)
        #expect(try curl(broker.url + "/readyz").body == "ok\n")
        let stopped = try Store(in: BrokerDirectory(directory))
        try stopped.execute("ALTER TABLE owner RENAME TO gone")
        let answer = try curl(broker.url + "/readyz")
        #expect(answer.status == "503" && answer.body == "the store cannot be read\n")
        #expect(try curl(broker.url + "/healthz").body == "ok\n")
    }

    @Test func `every request is one line of JSON, and probes are none`() throws {
        let broker = try ServingBroker(directory: directory)
        _ = try curl(broker.url + "/healthz")
        _ = try curl(broker.url + "/kbs/v0/auth", body: Self.auth)
        _ = try curl(broker.url + "/kbs/v0/resource/default/disk/root")
        let lines = try broker.logged().split(separator: "\n").map { try JSON(parsing: String($0)) }
        #expect(lines.count == 2)
        #expect(lines.first?["event"] == "request" && lines.first?["status"] == 200 && lines.first?["level"] == "info")
        #expect(lines.first?["path"] == "/kbs/v0/auth" && lines.first?["remote"] == "127.0.0.1")
        #expect(lines.last?["status"] == 401 && lines.last?["error"] == "Unauthenticated")
        let time = try (lines.first?["time"]?.string).orThrow("a time")
        #expect(time.count == 24 && time.hasSuffix("Z"))
    }

    // MARK: - Being overrun

    @Test func `a client that sends too many requests gets 429 with a reason, and others do not`() throws {
        let broker = try ServingBroker(directory: directory, ["--client-rate", "1"])
        let url = broker.url + "/kbs/v0/auth"
        let answers = try (0..<12).map { _ in try curl(url, ["-i"], body: Self.auth) }
        let refused = answers.filter { $0.status == "429" }
        #expect((1...3).contains(refused.count) && answers.first?.status == "200")
        let last = try refused.last.orThrow("a refusal")
        #expect(last.body.lowercased().contains("retry-after: 1"))
        #expect(last.body.contains("/TooManyRequests"))
        #expect(try curl(url, ["--interface", "127.0.0.3"], body: Self.auth).status == "200")
        #expect(try curl(broker.url + "/readyz").status == "200")
    }

    @Test func `ten megabytes are refused with the answer, whether they come at once or not at all`() throws {
        let broker = try ServingBroker(directory: directory)
        let answer = try curl(broker.url + "/kbs/v0/unseal", body: String(repeating: "x", count: 10 << 20))
        #expect(answer.status == "413")
        #expect(try KBSError(body: Array(answer.body.utf8)).name == "BodyTooLarge")
        // A client that reads only after it has sent all of it.
        let plain = try ServingBroker(directory: directory, ["--no-tls"])
        let client = try RawClient(plain.url)
        client.send("POST /kbs/v0/unseal HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n")
        for _ in 0..<160 { client.send(String(repeating: "x", count: 1 << 16)) }
        let text = client.readToEnd()
        #expect(text.hasPrefix("HTTP/1.1 413") && text.lowercased().contains("connection: close"))
        #expect(text.contains("BodyTooLarge"))
    }

    @Test func `a body that does not come ends with 408 and the connection`() throws {
        let broker = try ServingBroker(directory: directory, ["--no-tls"])
        let client = try RawClient(broker.url)
        client.send("POST /kbs/v0/auth HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        let text = client.readToEnd()
        #expect(text.hasPrefix("HTTP/1.1 408") && text.contains("/Timeout"))
    }

    @Test func `a thousand idle and slow connections keep nobody out`() throws {
        let broker = try ServingBroker(directory: directory, ["--no-tls", "--client-connections", "600"])
        var crowd: [RawClient] = []
        for number in 0..<1000 {
            let client = try RawClient(broker.url, from: number < 500 ? "127.0.0.4" : "127.0.0.5")
            if number.isMultiple(of: 2) { client.send("POST /kbs/v0/unseal HTTP/1.1\r\nHost: x\r\nContent-Le") }
            crowd.append(client)
        }
        #expect(try curl(broker.url + "/kbs/v0/auth", ["--max-time", "5"], body: Self.auth).status == "200")
        #expect(crowd.count { $0.isOpen } == 1000)
    }

    @Test func `one client has no more than its connections`() throws {
        let operations = try operations()
        let broker = try ServingBroker(
            directory: directory, ["--no-tls", "--client-connections", "5", "--operations", operations])
        let crowd = try (0..<20).map { _ in try RawClient(broker.url, from: "127.0.0.4") }
        #expect(try curl(broker.url + "/kbs/v0/auth", body: Self.auth).status == "200")
        #expect(crowd.count { $0.isOpen } == 5)
        let metrics = try curl("http://\(operations)/metrics").body
        #expect(metrics.contains(#"cvm_broker_refused_connections_total{reason="client"} 15"#))
    }

    // MARK: - Being stopped

    @Test func `a stop answers what is in progress, and closes what is idle`() throws {
        let broker = try ServingBroker(directory: directory, ["--no-tls"])
        let idle = try RawClient(broker.url)
        let busy = try RawClient(broker.url)
        busy.send("POST /kbs/v0/auth HTTP/1.1\r\nHost: x\r\nContent-Length: \(Self.auth.utf8.count)\r\n\r\n{")
        // So that the head has been read.
        Thread.sleep(forTimeInterval: 0.3)
        broker.terminate()
        #expect(idle.readToEnd().isEmpty)
        busy.send(String(Self.auth.dropFirst()))
        #expect(busy.readToEnd().hasPrefix("HTTP/1.1 200"))
        #expect(broker.stop() == 0)
    }
}
