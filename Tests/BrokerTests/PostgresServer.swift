// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// A PostgreSQL server of Debian's package, on loopback and in a folder of its own, as a user without rights; it ends with the
/// tests.
final class PostgresServer: @unchecked Sendable {
    private static let shared = Result { try PostgresServer() }
    private static let count = Mutex(0)

    /// The URL of a new, empty database.
    static func database() throws -> String {
        let server = try shared.get()
        let number = count.withLock { count in
            count += 1
            return count
        }
        let url = "postgres://tester@127.0.0.1:\(server.port)"
        try server.psql(url + "/postgres", "CREATE DATABASE store\(number)")
        return "\(url)/store\(number)"
    }

    /// Ends all connections to a database, as a server that is restarted does.
    static func disconnect(_ url: String) throws {
        let name = url.split(separator: "/").last ?? ""
        let server = try shared.get()
        try server.psql(
            "postgres://tester@127.0.0.1:\(server.port)/postgres",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '\(name)'")
    }

    private let directory: TemporaryDirectory
    private let process = Process()
    private let life = Pipe()
    private let port: Int

    private init() throws {
        directory = try TemporaryDirectory()
        port = try Self.freePort()
        let programs = try Self.programs()
        let data = directory.path + "/data"
        // A server refuses to run as root.
        var prefix = ""
        if getuid() == 0 {
            let handed = try BrokerProcess.run("/bin/chown", ["postgres:", directory.path])
            guard handed.status == 0 else { throw Missing(what: "user postgres: \(handed.errors)") }
            prefix = "setpriv --reuid=postgres --regid=postgres --clear-groups "
        }
        let made = try BrokerProcess.run(
            "/bin/sh",
            ["-c", "cd / && \(prefix)\(programs)/initdb -D \(data) -U tester -A trust -E UTF8 --no-locale --no-sync"])
        guard made.status == 0 else { throw Missing(what: "a cluster: \(made.errors)") }
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        // Reading ends when the tests do, however they end.
        process.arguments = [
            "-c",
            """
            cd / && \(prefix)\(programs)/postgres -D \(data) -h 127.0.0.1 -p \(port) -k '' -F -c max_connections=200 \
                >\(directory.path)/log 2>&1 </dev/null &
            read -r _; kill -QUIT $!
            """,
        ]
        process.standardInput = life
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<200 {
            if try psqlStatus("postgres://tester@127.0.0.1:\(port)/postgres", "SELECT 1").status == 0 { return }
            usleep(100_000)
        }
        throw Missing(what: "a server: \((try? String(contentsOfFile: directory.path + "/log", encoding: .utf8)) ?? "")")
    }

    private func psql(_ url: String, _ statement: String) throws {
        let output = try psqlStatus(url, statement)
        guard output.status == 0 else { throw Missing(what: "\(statement): \(output.errors)") }
    }

    private func psqlStatus(_ url: String, _ statement: String) throws -> BrokerProcess.Output {
        try BrokerProcess.run("/usr/bin/psql", ["-qX", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement])
    }

    private static func programs() throws -> String {
        let root = "/usr/lib/postgresql"
        let versions = try FileManager.default.contentsOfDirectory(atPath: root).compactMap { Int($0) }
        return try "\(root)/\(versions.max().orThrow("PostgreSQL: scripts/setup --tests"))/bin"
    }

    private static func freePort() throws -> Int {
        let output = try BrokerProcess.run(
            "/usr/bin/env",
            ["python3", "-c", "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])"])
        return try Int(output.output.dropLast()).orThrow("a port")
    }
}
