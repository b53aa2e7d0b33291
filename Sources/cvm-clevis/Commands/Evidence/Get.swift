// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Attestation
import FileIO
import PinKit
import TEE

extension EvidenceCommand {
    struct Get: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ask this machine's platform for evidence: in a confidential VM, as root.",
            discussion: """
                Hosts ration requests: ask once. Without --nonce or --report-data, report data is random.

                Example, in the guest:
                  cvm-clevis evidence get --nonce 00112233445566778899aabbccddeeff --output evidence.json
                """)

        @Option(help: ArgumentHelp("Report data is this and zeros.", valueName: "hex"))
        var nonce: String?

        @Option(help: ArgumentHelp("Report data, 64 bytes.", valueName: "hex"))
        var reportData: String?

        @Option(help: "Report for this VMPL, 0 to 3 (default: the kernel's own). SEV-SNP only.")
        var vmpl: UInt8?

        @Flag(help: "Write the bare report or quote, without certificates.")
        var raw = false

        @Option(name: .shortAndLong, help: "The file to write (default: standard output).")
        var output: String?

        func validate() throws {
            guard nonce == nil || reportData == nil else {
                throw ValidationError("--nonce and --report-data exclude each other")
            }
            guard vmpl ?? 0 <= 3 else { throw ValidationError("--vmpl must be 0 to 3") }
        }

        func run() throws {
            let data = try data()
            let answer = try PlatformReporter().report(over: data, privilegeLevel: vmpl, before: .after(seconds: 120))
            let bytes = raw ? answer.report : Array("\(try json(of: answer).canonical)\n".utf8)
            guard let output else { return try FileIO.write(1, SecretBytes(copyingPublic: bytes), name: "standard output") }
            try FileIO.replace(output, bytes)
            Console.say("\(output): \(answer.provider), report data \(Hex.encode(data))")
        }

        private func data() throws -> [UInt8] {
            if let reportData { return try EvidenceInput.hex(reportData, 64...64, "--report-data") }
            guard let nonce else { return try Random.bytes(64) }
            let bytes = try EvidenceInput.hex(nonce, 1...64, "--nonce")
            return bytes + [UInt8](repeating: 0, count: 64 - bytes.count)
        }

        private func json(of answer: TSMReport) throws -> JSON {
            // A quote has no certificates beside it.
            try EvidenceFile(parsing: answer.report + answer.certificates).json
        }
    }
}
