// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import PinKit
import TEESimulator

/// `cvm-tee-sim policy`.
struct Policy: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a policy for snp-attest that the simulated guest meets.",
        discussion: """
            Example:
              cvm-tee-sim policy --output policy.json
              cvm-clevis init --broker public.json --policy policy.json
            """)

    @Option(help: ArgumentHelp("The file; replaced where it exists. By default standard output.", valueName: "file"))
    var output: String?

    func run() throws {
        let text = SNPSettings.examplePolicy.canonical
        guard let output else { return print(text) }
        try FileIO.replace(output, Array("\(text)\n".utf8))
    }
}
