// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import PinKit
import TEESimulator

/// `cvm-tee-sim policy`.
struct Policy: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a policy for snp-attest or tdx-attest that the simulated guest meets.",
        discussion: """
            Example:
              cvm-tee-sim policy --output policy.json
              cvm-tee-sim policy --tee tdx --output tdx.json
              cvm-clevis init --broker public.json --policy policy.json --tdx-policy tdx.json
            """)

    @Option(help: "The platform: snp or tdx.")
    var tee = AttestedTEE.snp

    @Option(help: ArgumentHelp("The file; replaced where it exists. By default standard output.", valueName: "file"))
    var output: String?

    func run() throws {
        let text = (tee == .snp ? SNPSettings.examplePolicy : TDXSettings.examplePolicy).canonical
        guard let output else { return print(text) }
        try FileIO.replace(output, Array("\(text)\n".utf8))
    }
}
