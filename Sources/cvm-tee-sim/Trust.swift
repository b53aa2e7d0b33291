// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import Glibc
import TEESimulator

/// `cvm-tee-sim trust`.
struct Trust: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the simulator's anchors, and collateral for its TDX platform, to a directory.",
        discussion: """
            For a broker that is started with --trust-simulator DIR and, to judge TDX, --collateral DIR/collateral; DIR/ark.crl
            is what --revocation-list takes. The keys of these certificates are public: whoever trusts them trusts everybody. The collateral holds for 30 days, as Intel's
            does; write it again after that.

            Faults of the collateral:
            \(flaws)

            Example:
              cvm-tee-sim trust ./simulator-trust
            """)

    private static var flaws: String {
        let width = (SimulatedCollateral.Flaw.allCases.map(\.rawValue.count).max() ?? 0) + 2
        return SimulatedCollateral.Flaw.allCases.map { flaw in
            "  \(flaw.rawValue)\(String(repeating: " ", count: width - flaw.rawValue.count))\(flaw.meaning)"
        }.joined(separator: "\n")
    }

    @Argument(help: ArgumentHelp("The directory; made where it is missing.", valueName: "dir"))
    var directory: String

    @Option(
        help: ArgumentHelp("What is wrong with the collateral; see above.", valueName: "name"), transform: Trust.readFlaw)
    var fault: SimulatedCollateral.Flaw?

    private static func readFlaw(_ text: String) throws -> SimulatedCollateral.Flaw {
        guard let flaw = SimulatedCollateral.Flaw(rawValue: text) else {
            throw ValidationError("collateral has no fault '\(text)'; see --help")
        }
        return flaw
    }

    func run() throws {
        let now = Int64(time(nil))
        let collateral = try SimulatedCollateral(at: now, flaw: fault)
        try FileIO.makeDirectory("\(directory)/collateral")
        for (name, text) in SimulatedTrust.files { try FileIO.replace("\(directory)/\(name)", Array(text.utf8)) }
        try FileIO.replace("\(directory)/ark.crl", SimulatedTrust.revocationList(at: now))
        for (name, content) in collateral.files { try FileIO.replace("\(directory)/collateral/\(name)", content) }
    }
}
