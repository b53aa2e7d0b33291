// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Attestation
import PinKit

struct EvidenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evidence",
        abstract: "Attestation evidence in files: show, verify, get, learn a policy from it. Works offline.",
        discussion: """
            A file holds a raw SNP report or TDX quote, or JSON as KBS clients (layouts A, B, C), Azure or 'evidence get' write it;
            which, its content says.
            """,
        subcommands: [Show.self, Verify.self, Get.self, Learn.self])

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say what evidence claims, field by field. Verifies nothing.",
            discussion: """
                Example:
                  cvm-clevis evidence show report.bin
                """)

        @Argument(help: "The evidence; - reads standard input.")
        var file: String

        @Flag(help: "Answer with JSON.")
        var json = false

        func run() throws {
            let evidence = try EvidenceInput.file(file)
            let sheet = try evidence.facts()
            Console.answer(json ? sheet.json.pretty : "\(sheet.text)\n\n\(evidence.format); nothing of it is verified")
        }
    }
}
