// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PinKit
import TEESimulator

/// `cvm-tee-sim measurement`.
struct Measurement: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the simulated guest's launch measurement as a policy wants it.",
        discussion: """
            Example:
              cvm-tee-sim measurement --json > policy.json
              cvm-clevis init --broker public.json --policy policy.json
            """)

    @Flag(help: "Print a policy for snp-attest that the simulated guest meets.")
    var json = false

    func run() {
        print(json ? SNPSettings.examplePolicy.canonical : Base64URL.encode(SNPSettings.defaultMeasurement))
    }
}
