// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Diagnosis
import LUKS
import PinKit

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what would fail at the next boot, and why.",
        discussion: """
            A line for each thing that was looked at: ok, warning or fails, and what to do next. The volume is not opened. Run it where
            the guest's network and TPM are. Exit status: 0 some binding would open the volume, 1 none would.

            Examples:
              cvm-clevis luks check -d disk.img
              cvm-clevis luks check -d /dev/vda2 --boot-config boot.json --json
            """)

    @OptionGroup var options: VolumeOptions

    @Option(
        help: "The guest's boot.json, which says what it will demand; without it the signatures are checked with your key.")
    var bootConfig: String?

    @Flag(help: "Answer with JSON (docs/spec/check.md).")
    var json = false

    @Option(help: "Wait this many seconds for servers; all are asked at once.")
    var timeout = 3

    func validate() throws { try Patience.require(timeout) }

    func run() throws {
        let probes: [any Probe] = [
            TangProbe(), TPM2Probe(Pins.tpm2), BrokerProbe(policyProblem: Pins.problem), SEVSecretProbe(),
            KBSProbe(),
        ]
        let check = VolumeCheck(
            demands: try demands(), registry: Pins.registry, probes: probes, deadline: .after(seconds: timeout))
        let diagnosis = try check.run(options.volume)
        if json {
            Console.answer(diagnosis.json.canonical)
        } else {
            for finding in diagnosis.findings { Console.answer("\(finding)") }
        }
        if !diagnosis.boots { throw ExitCode(1) }
    }

    private func demands() throws -> VolumeCheck.Demands {
        guard let bootConfig else { return .owner(try Defaults().owner()?.publicKey) }
        return .boot(try BootConfigFile(bootConfig).configuration)
    }
}
