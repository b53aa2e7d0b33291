// SPDX-License-Identifier: Apache-2.0
import Broker
import Foundation
import Glibc
import PinKit
import Testing

/// The program under a service manager, by one file.
@Suite struct ServiceTests {
    let scratch: TemporaryDirectory
    var directory: String { scratch.path + "/broker" }
    var config: String { scratch.path + "/broker.json" }

    init() throws {
        scratch = try TemporaryDirectory()
        let made = try BrokerProcess.run(["init", directory])
        try #require(made.status == 0, "\(made.errors)")
    }

    private func write(_ members: JSONObject) throws {
        try JSON.object(members).pretty.write(toFile: config, atomically: false, encoding: .utf8)
    }

    // MARK: - check

    @Test func `a good file is good`() throws {
        try write(["directory": .string(directory), "listen": "0.0.0.0:8443", "minimum_tcb": ["genoa=0a00000000000e4d"]])
        let output = try BrokerProcess.run(["check", config])
        #expect(output.status == 0 && output.output == "\(config) is good\n", "\(output.errors)")
    }

    @Test func `what it names is looked at, and what is wrong has its line`() throws {
        try write([
            "directory": .string(scratch.path), "listen": "nowhere", "no_tls": true, "minimum_tcb": ["turin=1"],
            "collateral": ["/nonexistent"], "amd_kds": "ftp://x", "tls_cert": "/nonexistent", "tls_key": "/nonexistent",
        ])
        let output = try BrokerProcess.run(["check", config])
        #expect(output.status == 1 && output.output.isEmpty)
        let lines = output.errors.split(separator: "\n").filter { $0.hasPrefix(config + ":") }
        #expect(lines.map { $0.split(separator: ":")[1] } == ["2", "3", "4", "5", "8", "11"], "\(output.errors)")
        #expect(output.errors.contains("\(config):3: listen: nowhere is not an address to listen on"))
        #expect(output.errors.hasSuffix("cvm-clevis-broker: error: \(config) has 6 problems\n"))
    }

    @Test func `serve does not start by a file with a mistake`() throws {
        try write(["directory": .string(directory), "amd-kds": "off"])
        let output = try BrokerProcess.run(["serve", "--config", config])
        #expect(output.status == 1)
        #expect(output.errors.hasPrefix("cvm-clevis-broker: error: \(config):3: amd-kds: is no setting\n"))
    }

    // MARK: - Starting

    @Test func `a service manager is told when it is ready and when it stops`() throws {
        try write(["directory": .string(directory), "listen": "127.0.0.1:0", "amd_kds": "off", "intel_pcs": "off"])
        let manager = try NotifySocket(at: scratch.path + "/notify")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try BrokerProcess.executable)
        process.arguments = ["serve", "--config", config]
        process.environment = ["NOTIFY_SOCKET": scratch.path + "/notify"]
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        defer { process.terminate() }
        let ready = try manager.next()
        #expect(ready.hasPrefix("READY=1\nSTATUS=listening on https://127.0.0.1:"), "\(ready)")
        process.terminate()
        #expect(try manager.next() == "STOPPING=1\n")
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    @Test func `a socket that systemd opened goes before the address`() throws {
        try write([
            "directory": .string(directory), "listen": "127.0.0.1:1", "no_tls": true, "amd_kds": "off", "intel_pcs": "off",
        ])
        let port = try RawClient.freePort()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/systemd-socket-activate")
        process.arguments = [
            "--listen=127.0.0.1:\(port)", "--fdname=guests", try BrokerProcess.executable, "serve", "--config", config,
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer { process.terminate() }
        let client = try connect(to: "http://127.0.0.1:\(port)")
        client.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        let answer = client.readToEnd()
        #expect(answer.hasPrefix("HTTP/1.1 200") && answer.hasSuffix("ok\n"), "\(answer)")
        process.terminate()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
    }

    /// Once somebody listens there.
    private func connect(to url: String) throws -> RawClient {
        for _ in 0..<100 {
            if let client = try? RawClient(url) { return client }
            Thread.sleep(forTimeInterval: 0.05)
        }
        return try RawClient(url)
    }

    // MARK: - The units

    @Test func `systemd finds nothing wrong with the units, and little that they leave open`() throws {
        let units = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../systemd/broker").standardizedFileURL.path
        var text = try String(contentsOfFile: "\(units)/cvm-clevis-broker.service", encoding: .utf8)
        // So that the program that it names exists.
        text = try text.replacingOccurrences(of: "/usr/bin/cvm-clevis-broker", with: BrokerProcess.executable)
        let copy = scratch.path + "/cvm-clevis-broker.service"
        try text.write(toFile: copy, atomically: false, encoding: .utf8)
        try FileManager.default.copyItem(
            atPath: "\(units)/cvm-clevis-broker.socket", toPath: scratch.path + "/cvm-clevis-broker.socket")
        let analyze = "/usr/bin/systemd-analyze"
        let verified = try BrokerProcess.run(
            analyze, ["verify", "--man=no", copy, scratch.path + "/cvm-clevis-broker.socket"])
        #expect(verified.status == 0 && verified.errors.isEmpty, "\(verified.errors)")
        let exposed = try BrokerProcess.run(
            analyze, ["security", "--no-pager", "--offline=true", "--threshold=20", copy])
        #expect(exposed.status == 0, "\(exposed.output)\(exposed.errors)")
    }
}

/// The socket on which a service manager hears of its services.
private final class NotifySocket {
    private let descriptor: Int32

    init(at path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let code = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else { throw Missing(what: "a socket at \(path)") }
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// The next message.
    func next() throws -> String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { throw Missing(what: "a message") }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }
}
