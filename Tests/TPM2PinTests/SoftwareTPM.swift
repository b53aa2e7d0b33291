// SPDX-License-Identifier: Apache-2.0
import Foundation
import NullPin
import PinKit
import SSSPin
import TPM2Pin

/// A TPM in software (swtpm), fresh, on a socket in a folder of its own. It ends with this object.
final class SoftwareTPM: Sendable {
    let tcti: String
    private let folder: URL
    private let process: Process

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("cvm-tpm-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let socket = folder.appendingPathComponent("s").path
        tcti = "swtpm:path=\(socket)"
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "swtpm", "socket", "--tpm2", "--tpmstate", "dir=\(folder.path)", "--ctrl", "type=unixio,path=\(socket).ctrl",
            "--server", "type=unixio,path=\(socket)", "--flags", "startup-clear",
        ]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<200 where !FileManager.default.fileExists(atPath: socket) { usleep(10_000) }
        guard FileManager.default.fileExists(atPath: socket) else { throw Failure(command: ["swtpm"], message: "no socket") }
    }

    deinit {
        // Foundation starts programs with SIGTERM blocked on some threads.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    /// Runs one of Debian's tools against this TPM.
    @discardableResult
    func run(_ command: String..., input: String = "") throws -> String {
        let process = Process()
        let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.environment = ProcessInfo.processInfo.environment.merging(["TPM2TOOLS_TCTI": tcti]) { $1 }
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stderr
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let output = stdout.fileHandleForReading.readDataToEndOfFile()
        let message = stderr.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(command: command, message: String(decoding: message, as: UTF8.self))
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Handles of what was left loaded: keys and sessions.
    func leftovers() throws -> String {
        try run("tpm2_getcap", "handles-transient") + run("tpm2_getcap", "handles-loaded-session")
    }

    struct Failure: Error {
        let command: [String]
        let message: String
    }
}

extension SoftwareTPM {
    var registry: PinRegistry { PinRegistry([NullPin(), SSSPin(), TPM2Pin(tcti: tcti)]) }

    func encrypt(_ secret: String, _ configuration: JSON, pin: String = "tpm2") throws -> JWE {
        let registry = registry
        let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
        let encryptor = try registry.encryptor(named: pin, for: configuration, in: binding)
        return try encryptor.encrypt(SecretBytes(copyingPublic: Array(secret.utf8)))
    }

    func decrypt(_ message: JWE) throws -> String {
        let secret = try PolicyWalk(registry: registry, deadline: .after(seconds: 60)).recover(message)
        return unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    func clevisEncrypt(_ secret: String, _ configuration: String) throws -> JWE {
        try JWE(compact: try run("clevis", "encrypt", "tpm2", configuration, input: secret))
    }
}
