// SPDX-License-Identifier: Apache-2.0
import Foundation
import PinKit

/// A server of server.py. It ends with this process, which holds the other end of its standard input.
struct Server: Sendable, CustomStringConvertible {
    /// What a server shows of itself.
    enum Identity: String, CaseIterable {
        /// For the name localhost.
        case localhost
        /// For 127.0.0.1, and for another name.
        case numbered
        /// For localhost, until yesterday.
        case expired
        /// With a key that TLS 1.2 could use without forward secrecy.
        case rsa
    }

    let url: String
    /// SHA-256 of the SubjectPublicKeyInfo; empty without TLS.
    let pin: [UInt8]
    /// The server ends when this is closed.
    private let input: FileHandle

    var description: String { pin.isEmpty ? "http" : "https" }

    /// The same by another of this machine's names.
    func url(at host: String) -> String { url.replacingOccurrences(of: "127.0.0.1", with: host) }

    // Those that several tests share.
    private static let shared = Result {
        (
            plain: try start(nil, []), tls: try start(.localhost, []), numbered: try start(.numbered, []),
            expired: try start(.expired, [])
        )
    }
    static var plain: Server { get throws { try shared.get().plain } }
    static var tls: Server { get throws { try shared.get().tls } }
    static var numbered: Server { get throws { try shared.get().numbered } }
    static var expired: Server { get throws { try shared.get().expired } }

    /// A file with the certificates of all identities.
    static var authorities: String { get throws { try identities.get().appendingPathComponent("all.pem").path } }

    /// A server that is listening when this returns.
    static func start(_ identity: Identity?, _ arguments: [String]) throws -> Server {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("server.py").path
        guard let identity else {
            let (port, input) = try serve([script] + arguments)
            return Server(url: "http://127.0.0.1:\(port)", pin: [], input: input)
        }
        let (certificate, key) = (try file(identity, "pem"), try file(identity, "key"))
        let publicKey = try run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"])
        let (port, input) = try serve([script, "--identity", certificate, key] + arguments)
        return Server(url: "https://127.0.0.1:\(port)", pin: Digest.sha256([UInt8](publicKey)), input: input)
    }

    /// One for each process of the tests.
    private static let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("cvm-http-\(UUID().uuidString)")

    /// The folder with certificates and keys in it.
    private static let identities = Result {
        atexit { try? FileManager.default.removeItem(at: Server.folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var all = Data()
        for identity in Identity.allCases {
            let (certificate, key) = (file(identity, "pem", in: folder), file(identity, "key", in: folder))
            let kind = identity == .rsa ? ["rsa:2048"] : ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            let names = identity == .numbered ? "DNS:other.example,IP:127.0.0.1" : "DNS:localhost"
            _ = try run(
                ["openssl", "req", "-x509", "-newkey"] + kind + [
                    "-nodes", "-subj", "/CN=\(identity)", "-addext", "subjectAltName=\(names)", "-days", "2", "-keyout", key,
                    "-out", certificate,
                ])
            if identity == .expired {
                _ = try run([
                    "openssl", "x509", "-in", certificate, "-signkey", key, "-days", "-1", "-out", certificate + "~",
                ])
                _ = try run(["mv", certificate + "~", certificate])
            }
            all += try Data(contentsOf: URL(fileURLWithPath: certificate))
        }
        try all.write(to: folder.appendingPathComponent("all.pem"))
        return folder
    }

    private static func file(_ identity: Identity, _ ending: String) throws -> String {
        file(identity, ending, in: try identities.get())
    }

    private static func file(_ identity: Identity, _ ending: String, in folder: URL) -> String {
        folder.appendingPathComponent("\(identity).\(ending)").path
    }

    private static func run(_ command: [String]) throws -> Data {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure(command: command) }
        return data
    }

    private static func serve(_ arguments: [String]) throws -> (port: Int, input: FileHandle) {
        let process = Process()
        let output = Pipe()
        let input = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3"] + arguments
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = Int(line.trimmingCharacters(in: .whitespacesAndNewlines)) else { throw Failure(command: arguments) }
        return (port, input.fileHandleForWriting)
    }

    private struct Failure: Error { let command: [String] }
}
