// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import Glibc
import TEESimulator

/// `cvm-tee-sim run`.
struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a command on the simulated platform.",
        discussion: """
            The command sees /sys/kernel/config/tsm/report as a guest would, in a
            mount namespace of its own: nobody else on the machine sees it, and it is
            gone when the command ends. The rest of /sys/kernel is hidden from it.

            Needs root and /dev/fuse. The exit status is the command's, or 128 and the
            number of the signal that ended it.

            Faults:
            \(faults)

            Example:
              sudo cvm-tee-sim run --tee snp -- cvm-clevis luks unlock -d disk.img -t
              sudo cvm-tee-sim run --tee tdx --fault tampered-report -- COMMAND
              sudo cvm-tee-sim run --tee sev --secret 736869e5-84f0-4973-92ec-06879ce3da0b:passphrase -- COMMAND
            """)

    private static var faults: String {
        let width = (Fault.catalogue.map(\.name.count).max() ?? 0) + 2
        return Fault.catalogue.map { name, meaning in
            "  \(name)\(String(repeating: " ", count: width - name.count))\(meaning)"
        }.joined(separator: "\n")
    }

    @Option(help: "The platform: snp, tdx, sev, or none for a machine without a TEE.")
    var tee: TEEName

    @Option(help: ArgumentHelp("SEV: a secret that was put in at launch; may be repeated.", valueName: "guid:file"))
    var secret: [SecretArgument] = []

    @OptionGroup(title: "SEV-SNP") var snp: SNPOptions

    @OptionGroup(title: "TDX") var tdx: TDXOptions

    @Option(help: ArgumentHelp("What goes wrong; see above.", valueName: "name"), transform: readFault)
    var fault: Fault?

    @Argument(parsing: .postTerminator, help: ArgumentHelp("The command and its arguments.", valueName: "command"))
    var command: [String] = []

    static func readFault(_ text: String) throws -> Fault {
        guard let fault = Fault(named: text) else { throw ValidationError("there is no fault '\(text)'; see --help") }
        return fault
    }

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("what is to be run? Give it after --") }
        guard tee == .snp || !snp.areUsed else { throw ValidationError("an option of SEV-SNP takes --tee snp") }
        guard tee == .sev || secret.isEmpty else { throw ValidationError("--secret takes --tee sev") }
        guard tee == .tdx || !tdx.areUsed else { throw ValidationError("an option of TDX takes --tee tdx") }
    }

    func run() throws {
        let tee: SimulatedTEE =
            switch tee {
            case .snp: .snp(snp.settings)
            case .tdx: .tdx(tdx.settings)
            case .none, .sev: .none
            }
        let secrets = try secret.map { SimulatedSecret($0.guid, try FileIO.read($0.file, limit: 4096)) }
        let platform = SimulatedPlatform(tee, fault: fault, secrets: self.tee == .sev ? secrets : nil)
        Glibc.exit(try platform.run(command))
    }
}
