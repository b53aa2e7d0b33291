// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import TEESimulator

/// `cvm-tee-sim trust`.
struct Trust: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the simulator's anchors, ark.pem and ask.pem, to a directory.",
        discussion: """
            For a broker that is started with --trust-simulator. The keys of these certificates are public: whoever trusts
            them trusts everybody.

            Example:
              cvm-tee-sim trust ./simulator-trust
            """)

    @Argument(help: ArgumentHelp("The directory; made where it is missing.", valueName: "dir"))
    var directory: String

    func run() throws {
        try FileIO.makeDirectory(directory)
        try FileIO.replace("\(directory)/ark.pem", Array(SimulatedTrust.arkPEM.utf8))
        try FileIO.replace("\(directory)/ask.pem", Array(SimulatedTrust.askPEM.utf8))
    }
}
