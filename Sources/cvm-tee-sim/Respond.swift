// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import TEESimulator

/// `cvm-tee-sim respond`.
struct Respond: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sign for the test kernel module, inside a virtual machine of the boot tests.",
        discussion: """
            The module (Tests/Boot/Kernel) stands in the place of a TEE's driver, so that
            the kernel's own interfaces are met; this makes the evidence that it hands
            out. The faults are those of run.

            Example:
              insmod cvm_test_tee.ko provider=sev_guest
              cvm-tee-sim respond --tee snp
            """)

    @Option(help: ArgumentHelp("The module's device.", valueName: "file"))
    var device = "/dev/cvm-test-tee"

    @Option(help: "The platform: snp or tdx, as the module's provider.")
    var tee: AttestedTEE

    @OptionGroup(title: "SEV-SNP") var snp: SNPOptions

    @OptionGroup(title: "TDX") var tdx: TDXOptions

    @Option(help: ArgumentHelp("What goes wrong.", valueName: "name"), transform: Run.readFault)
    var fault: Fault?

    func validate() throws {
        guard tee == .snp || !snp.areUsed else { throw ValidationError("an option of SEV-SNP takes --tee snp") }
        guard tee == .tdx || !tdx.areUsed else { throw ValidationError("an option of TDX takes --tee tdx") }
    }

    func run() throws {
        let tee = tee == .snp ? SimulatedTEE.snp(snp.settings) : .tdx(tdx.settings)
        try Signer(SimulatedPlatform(tee, fault: fault)).serve(device)
    }
}
