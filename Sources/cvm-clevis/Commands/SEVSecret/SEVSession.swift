// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LaunchInput
import PinKit

struct SEVSession: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "session", abstract: "Begin a launch: make keys that only the firmware of one platform can read.",
        discussion: """
            The platform's certificates are PDH, PEK, OCA and CEK, 2084 bytes each, in this order, in one file or several: as
            'sevctl export' writes them, or pdh and cert-chain of QEMU's query-sev-capabilities, with the CEK that AMD has
            signed in place of the last. ASK and ARK are what you trust: get them from AMD yourself, for the processor's
            generation.

            Writes godh.b64 and session.b64, for QEMU's dh-cert-file and session-file, and tek.key and tik.key, which are yours.

            Example:
              cvm-clevis sev-secret session --platform platform.certs --amd ask_ark_rome.cert --policy 0x7 --output session
            """)

    @Option(help: ArgumentHelp("The platform's certificates; may be repeated.", valueName: "file"))
    var platform: [String]

    @Option(help: ArgumentHelp("ASK and ARK, as AMD publishes them.", valueName: "file"))
    var amd: String

    @Option(help: ArgumentHelp("The guest's policy: 0x3 for SEV, 0x7 for SEV-ES.", valueName: "number"))
    var policy = SEVPolicy(0x3)

    @Option(help: ArgumentHelp("Where to put the session's files.", valueName: "directory"))
    var output: String

    func run() throws {
        policy.warn()
        let limit = PlatformChain.maximumLength
        let certificates = try platform.flatMap { try FileIO.read($0, limit: limit) }
        let chain = try PlatformChain(certificates, authority: FileIO.read(amd, limit: limit))
        let session = try LaunchSession(with: chain, policy: policy.value)
        let directory = SessionDirectory(path: output)
        try directory.write(session)
        Console.say("\(output): a session with policy \(policy.defaultValueDescription)")
        Console.say(
            "next: qemu-system-x86_64 -S -object sev-guest,id=sev0,policy=\(policy.defaultValueDescription),"
                + "dh-cert-file=\(directory.certificate),session-file=\(directory.session),…")
    }
}
