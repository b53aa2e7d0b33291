// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LaunchInput
import PinKit
import TEE

struct BuildSEVSecret: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Make the packet that puts secrets into a guest, once its launch is the expected one.",
        discussion: """
            The answer is a command for QEMU's monitor (QMP). With another launch than the expected one there is no answer. A
            packet can be read by that guest's firmware only.

            Example:
              cvm-clevis sev-secret build --session session --firmware-version 0.24.15 \\
                --digest "$(cvm-clevis measure sev --firmware OVMF.fd --kernel vmlinuz --append 'root=/dev/vda')" \\
                --measure "$(jq -r .return.data launch-measure.json)" --secret 0a1b2c3d-0000-4000-8000-0123456789ab:launch.key
            """)

    @Option(help: ArgumentHelp("What 'sev-secret session' wrote.", valueName: "directory"))
    var session: String

    @Option(help: ArgumentHelp("What QEMU's query-sev-launch-measure answers.", valueName: "base64"))
    var measure: String

    @Option(help: ArgumentHelp("The expected launch digest: see 'measure sev' and 'measure seves'.", valueName: "hex"))
    var digest: String

    @Option(help: ArgumentHelp("The guest's policy, as the session has it.", valueName: "number"))
    var policy = SEVPolicy(0x3)

    @Option(help: ArgumentHelp("api-major, api-minor and build-id of QEMU's query-sev.", valueName: "major.minor.build"))
    var firmwareVersion: String

    @Option(
        help: ArgumentHelp("An entry by its name, and the file with its secret; may be repeated.", valueName: "guid:file"))
    var secret: [SecretEntry] = []

    @Option(help: ArgumentHelp("A passphrase for GRUB and mode passphrase; the zero byte is added.", valueName: "file"))
    var passphrase: String?

    @Option(help: ArgumentHelp("Write header.b64 and payload.b64 there instead, for libvirt.", valueName: "directory"))
    var output: String?

    func validate() throws {
        guard !secret.isEmpty || passphrase != nil else { throw ValidationError("give --secret or --passphrase") }
    }

    func run() throws {
        let packet = try SecretPacket(table(), for: launchMeasure(), of: expected(), SessionDirectory(path: session).keys())
        guard let output else { return Console.answer(Self.command(packet).canonical) }
        try FileIO.makeDirectory(output)
        for (name, bytes) in [("header", packet.header), ("payload", packet.payload)] {
            try FileIO.replace("\(output)/\(name).b64", Array(Base64.encode(bytes).utf8))
        }
        Console.say(
            "next: virsh domsetlaunchsecstate DOMAIN --secrethdr \(output)/header.b64 --secret \(output)/payload.b64")
    }

    private func launchMeasure() throws -> LaunchMeasure {
        guard let bytes = Base64.decode(measure) else { throw ValidationError("--measure is not base64") }
        return try LaunchMeasure(bytes)
    }

    private func expected() throws -> ExpectedLaunch {
        guard let digest = Hex.decode(digest) else { throw ValidationError("--digest takes 64 hexadecimal digits") }
        guard let version = SEVFirmwareVersion(firmwareVersion) else {
            throw ValidationError("--firmware-version takes three numbers as 0.24.15, not \(firmwareVersion)")
        }
        return try ExpectedLaunch(digest: digest, policy: policy.value, firmware: version)
    }

    private func table() throws -> SecretTable {
        var table = SecretTable()
        for entry in secret {
            try table.add(entry.guid, FileIO.readSecret(entry.file, limit: SecretTable.maximumLength))
        }
        if let passphrase { try table.add(.diskPassphrase, Self.ended(passphrase)) }
        return table
    }

    /// What GRUB reads up to a zero byte.
    private static func ended(_ path: String) throws -> SecretBytes {
        let text = try FileIO.readSecret(path, limit: SecretTable.maximumLength)
        let isText = unsafe text.withUnsafeBytes { bytes in unsafe !bytes.contains(0) && bytes.last != UInt8(ascii: "\n") }
        guard isText else {
            throw Failure("\(path): it has a zero byte, or ends in a newline, which GRUB would take for a part of it")
        }
        return text.appending(SecretBytes(copyingPublic: [0]))
    }

    private static func command(_ packet: SecretPacket) -> JSON {
        [
            "arguments": [
                "packet-header": .string(Base64.encode(packet.header)), "secret": .string(Base64.encode(packet.payload)),
            ],
            "execute": "sev-inject-launch-secret",
        ]
    }
}

/// `GUID:FILE`
struct SecretEntry: ExpressibleByArgument {
    let guid: SecretGUID
    let file: String

    init?(argument: String) {
        let parts = argument.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let guid = SecretGUID(parts[0]) else { return nil }
        (self.guid, file) = (guid, String(parts[1]))
    }
}
