// SPDX-License-Identifier: Apache-2.0
import ExternalPin
import Foundation
import NullPin
import PinKit
import SSSPin

/// A folder of shell scripts that stands in for a directory of PATH; it goes with the test.
final class Programs: Sendable {
    let folder: String
    let encryptTimeout: Int

    init(encryptTimeout: Int = 30) throws {
        // A program that does not read its input must not end this one.
        signal(SIGPIPE, SIG_IGN)
        folder = "\(FileManager.default.temporaryDirectory.path)/cvm-external-\(UUID().uuidString)"
        self.encryptTimeout = encryptTimeout
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Puts `script` there as `name`, executable.
    func add(_ name: String, _ script: String) throws {
        let path = "\(folder)/\(name)"
        try "#!/bin/sh\n\(script)\n".write(toFile: path, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    /// What a script wrote into a file of the folder.
    func text(_ name: String) throws -> String { try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8) }

    var pins: ExternalPins {
        ExternalPins(
            path: "\(folder):/usr/bin:/bin", environment: ["FOLDER=\(folder)", "GREETING=hello world"],
            encryptTimeout: encryptTimeout)
    }

    var registry: PinRegistry {
        let pins = pins
        return PinRegistry([NullPin(), SSSPin()]) { pins.pin(named: $0) }
    }

    func encrypt(_ secret: String, _ pin: String, _ configuration: JSON = [:]) throws -> JWE {
        let registry = registry
        let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
        let encryptor = try registry.encryptor(named: pin, for: configuration, in: binding)
        return try encryptor.encrypt(SecretBytes(copyingPublic: Array(secret.utf8)))
    }

    func decrypt(_ message: JWE, milliseconds: Int = 30_000) throws -> String {
        let secret = try PolicyWalk(registry: registry, deadline: .after(milliseconds: milliseconds)).recover(message)
        return unsafe secret.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// A pin whose messages hold the secret as it is, made with `sh` alone.
    func addPlain(_ pin: String, naming name: String? = nil) throws {
        let header = Base64URL.encode(Array(#"{"clevis":{"pin":"\#(name ?? pin)"}}"#.utf8))
        try add(
            "clevis-encrypt-\(pin)",
            #"""
            printf '%s' "$1" >"$FOLDER/configuration"
            printf '\#(header)..AAAAAAAAAAAAAAAA.%s.AAAAAAAAAAAAAAAAAAAAAA' "$(base64 -w0 | tr '+/' '-_' | tr -d =)"
            """#)
        try add(
            "clevis-decrypt-\(pin)",
            #"""
            text=$(cut -d. -f4 | tr -- '-_' '+/')
            while [ $((${#text} % 4)) != 0 ]; do text="$text="; done
            printf '%s' "$text" | base64 -d
            """#)
    }

    /// A message of `pin` that only needs to be one.
    func message(_ pin: String) throws -> JWE {
        let header = Base64URL.encode(Array(#"{"clevis":{"pin":"\#(pin)"}}"#.utf8))
        return try JWE(compact: "\(header)..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA")
    }
}

/// Whether the process whose number a script wrote into `text` exists, be it as a zombie.
func isAlive(_ text: String) throws -> Bool {
    guard let number = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) else { throw CocoaError(.formatting) }
    return kill(number, 0) == 0
}

/// The error that `body` throws; nil where it throws none.
func error(of body: () throws -> Void) -> PinError? {
    do {
        try body()
        return nil
    } catch {
        return error as? PinError
    }
}
