// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LaunchInput
import PinKit

struct SEVSecret: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sev-secret",
        abstract: "The owner's side of launching an SEV or SEV-ES guest with its secret (pin sev-secret).",
        discussion: """
            For machines without SEV-SNP: docs/spec/pins.md says what SEV does not protect from.

            Example:
              cvm-clevis sev-secret session --platform platform.certs --amd ask_ark_rome.cert --output session
              cvm-clevis sev-secret build --session session --digest "$(cvm-clevis measure sev --firmware OVMF.fd)" \\
                --measure BASE64 --firmware-version 0.24.15 --secret GUID:launch.key >inject.qmp
            """,
        subcommands: [SEVSession.self, BuildSEVSecret.self])
}

/// The directory of a session's files.
struct SessionDirectory {
    let path: String

    var certificate: String { "\(path)/godh.b64" }
    var session: String { "\(path)/session.b64" }
    private var tek: String { "\(path)/tek.key" }
    private var tik: String { "\(path)/tik.key" }

    func write(_ session: borrowing LaunchSession) throws {
        try FileIO.makeDirectory(path, mode: 0o700)
        try FileIO.createSecret(tek, session.keys.tek)
        try FileIO.createSecret(tik, session.keys.tik)
        try FileIO.create(certificate, Array(Base64.encode(session.certificate).utf8))
        try FileIO.create(self.session, Array(Base64.encode(session.session).utf8))
    }

    func keys() throws -> SessionKeys {
        try SessionKeys(tek: FileIO.readSecret(tek, limit: 64), tik: FileIO.readSecret(tik, limit: 64))
    }
}

/// A policy of an SEV guest.
struct SEVPolicy: ExpressibleByArgument {
    let value: UInt32

    init(_ value: UInt32) { self.value = value }

    init?(argument: String) {
        let isHexadecimal = argument.hasPrefix("0x")
        guard let value = isHexadecimal ? UInt32(argument.dropFirst(2), radix: 16) : UInt32(argument) else { return nil }
        self.value = value
    }

    var defaultValueDescription: String { "0x\(String(value, radix: 16))" }

    func warn() {
        if value & 1 == 0 { Console.warn("policy bit 0 is not set: the host may read the guest's memory by debugging it") }
    }
}
