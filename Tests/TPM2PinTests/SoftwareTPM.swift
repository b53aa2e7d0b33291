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
        for _ in 0..<500 where !SoftwareTPM.listens(socket) { usleep(10_000) }
        guard SoftwareTPM.listens(socket) else { throw Failure(command: ["swtpm"], message: "no socket") }
    }

    /// The file of a socket is there before the program listens to it.
    private static func listens(_ path: String) -> Bool {
        let client = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(client) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        return unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe connect(client, $0, size) == 0 }
        }
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
    var registry: PinRegistry { registry(TPM2Pin(tcti: tcti)) }

    func registry(_ pin: TPM2Pin) -> PinRegistry { PinRegistry([NullPin(), SSSPin(), pin]) }

    /// A pin whose user types `pin`, as often as asked.
    func typing(_ pin: String, signatures: [String] = []) -> TPM2Pin {
        TPM2Pin(tcti: tcti, signatureFiles: signatures) { (_) throws(PinError) in
            SecretBytes(copyingPublic: Array(pin.utf8))
        }
    }

    func encrypt(_ secret: String, _ configuration: JSON, pin: String = "tpm2", with tpm2: TPM2Pin? = nil) throws -> JWE {
        let registry = registry(tpm2 ?? TPM2Pin(tcti: tcti))
        let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
        let encryptor = try registry.encryptor(named: pin, for: configuration, in: binding)
        return try encryptor.encrypt(SecretBytes(copyingPublic: Array(secret.utf8)))
    }

    func decrypt(_ message: JWE, with tpm2: TPM2Pin? = nil) throws -> String {
        let registry = registry(tpm2 ?? TPM2Pin(tcti: tcti))
        let secret = try PolicyWalk(registry: registry, deadline: .after(seconds: 60)).recover(message)
        return unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// Extends a PCR of bank sha256 by the SHA-256 of `data`.
    func extend(_ pcr: Int, with data: [UInt8] = [1]) throws {
        try run("tpm2_pcrextend", "\(pcr):sha256=\(Hex.encode(Digest.sha256(data)))")
    }

    /// Puts a key where the storage root key is looked for, as the error message says.
    func makeStorageRoot(
        _ kind: String,
        attributes: String = "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda"
    ) throws {
        let file = folder.appendingPathComponent("srk").path
        try run("tpm2_createprimary", "-C", "o", "-G", kind, "-c", file, "-a", attributes)
        try run("tpm2_evictcontrol", "-C", "o", "-c", file, "0x81000001")
        try run("tpm2_flushcontext", "-t")
    }

    func clevisEncrypt(_ secret: String, _ configuration: String) throws -> JWE {
        try JWE(compact: try run("clevis", "encrypt", "tpm2", configuration, input: secret))
    }
}

extension JWE {
    /// The same message with the pin's part of its header changed, which no key has authenticated any more.
    func with(_ change: (inout JSONObject) -> Void) throws -> JWE {
        var parameters = self.parameters?.object ?? [:]
        change(&parameters)
        var header = self.header
        header["clevis"] = ["pin": "tpm2", "tpm2": .object(parameters)]
        var flattened = self.flattened.object ?? [:]
        flattened["protected"] = .string(Base64URL.encode(Array(JSON.object(header).canonical.utf8)))
        return try JWE(flattened: .object(flattened))
    }
}
