// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PinKit
import TEESimulator

/// `cvm-tee-sim measurement`.
struct Measurement: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the simulated guest's launch measurement, SEV-SNP's or MRTD, as a policy wants it.",
        discussion: """
            A whole policy: cvm-tee-sim policy.

            Example:
              cvm-tee-sim measurement
            """)

    @Option(help: "The platform: snp or tdx.")
    var tee = AttestedTEE.snp

    func run() {
        print(Base64URL.encode(tee == .snp ? SNPSettings.defaultMeasurement : TDXSettings.defaultMRTD))
    }
}
