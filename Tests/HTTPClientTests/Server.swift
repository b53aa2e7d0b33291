// SPDX-License-Identifier: Apache-2.0
import Foundation
import PinKit

/// The two servers that the tests of this process share, one with TLS and one without. They end with the process, which holds
/// the other end of their standard input.
struct Server: Sendable {
    let url: String
    /// SHA-256 of the SubjectPublicKeyInfo; empty without TLS.
    let pin: [UInt8]
    /// The server ends when this is closed.
    private let input: FileHandle

    private static let processes = Result { try Server.start() }

    static var tls: Server { get throws { try processes.get().tls } }
    static var plain: Server { get throws { try processes.get().plain } }

    private static func start() throws -> (tls: Server, plain: Server) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("cvm-http-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let certificate = folder.appendingPathComponent("certificate.pem").path
        let key = folder.appendingPathComponent("key.pem").path
        _ = try run([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=test",
            "-days", "2", "-keyout", key, "-out", certificate,
        ])
        let publicKey = try run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"])
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("server.py").path
        let (tlsPort, tlsInput) = try serve([script, certificate, key])
        let (port, input) = try serve([script])
        return (
            Server(url: "https://127.0.0.1:\(tlsPort)", pin: Digest.sha256([UInt8](publicKey)), input: tlsInput),
            Server(url: "http://127.0.0.1:\(port)", pin: [], input: input)
        )
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

    /// Starts a server that is listening when this returns.
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
