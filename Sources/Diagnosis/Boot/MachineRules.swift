// SPDX-License-Identifier: Apache-2.0
internal import Initrd

/// Whether the machine that this runs on has what the pins ask. It need not be the one that is to boot: so nothing fails.
struct MachineRules {
    /// The running system.
    let tree: any FileTree
    let needs: PinNeeds

    func findings() -> [Finding] {
        let all: [(pin: String, devices: [String], what: String)] = [
            ("snp-attest", ["/dev/sev-guest"], "an SEV-SNP guest"), ("tdx-attest", ["/dev/tdx_guest"], "a TDX guest"),
            ("trustee", ["/dev/sev-guest", "/dev/tdx_guest"], "an SEV-SNP or TDX guest"),
            ("tpm2", ["/dev/tpmrm0"], "a TPM"),
        ]
        return all.filter { needs.pins.contains($0.pin) }.map { pin, devices, what in
            if let device = devices.first(where: tree.exists) {
                return Finding(.ok, .machine, at: "machine", "\(pin) has \(device)")
            }
            return Finding(
                .warning, .machine, at: "machine", "\(pin) asks \(what), and here is no \(devices[0])",
                remedy: "nothing, if the image boots elsewhere; else see whether its driver is loaded")
        }
    }
}
