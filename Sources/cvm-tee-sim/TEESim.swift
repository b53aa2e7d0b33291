// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import PinKit

/// The simulated platform's command line. For tests and for trying things at home: it is part of no package that is shipped.
@main
struct TEESim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cvm-tee-sim",
        abstract: "Pretend to be a confidential VM, with evidence that really verifies under a test anchor.",
        discussion: """
            The signing keys are public and prove nothing. A broker trusts them only
            when it is told to, with --trust-simulator (see trust --help for TDX).

            Exit status: 0 done, 1 failed (one line says why), 2 wrong usage; of run, that
            of the command.

            Example:
              cvm-tee-sim trust ./simulator-trust
              cvm-clevis-broker serve ./broker --trust-simulator ./simulator-trust
              sudo cvm-tee-sim run --tee snp -- cvm-clevis luks unlock -d disk.img -n root
            """,
        version: programVersion,
        subcommands: [Run.self, Respond.self, Trust.self, Policy.self, Measurement.self])

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            Console.exit(reporting: error)
        }
    }
}
