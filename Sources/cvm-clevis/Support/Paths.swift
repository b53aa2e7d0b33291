// SPDX-License-Identifier: Apache-2.0
import ExternalPin
import Glibc
import TPM2Pin

/// Where things are on this machine. The environment is read here and nowhere else.
enum Paths {
    /// `$XDG_CONFIG_HOME/cvm-clevis`, else `~/.config/cvm-clevis`.
    static var configuration: String {
        if let base = variable("XDG_CONFIG_HOME"), base.hasPrefix("/") { return "\(base)/cvm-clevis" }
        return "\(variable("HOME") ?? "/root")/.config/cvm-clevis"
    }

    /// Where the TPM is: `$TPM2TOOLS_TCTI` as for stock clevis, `$TCTI` as for its successor in Rust, else the kernel's.
    static var tpm: String { variable("TPM2TOOLS_TCTI") ?? variable("TCTI") ?? TPM2Pin.kernelTPM }

    /// The pins that are programs in PATH, and what those get to see of the environment.
    ///
    /// None where this program itself was started by such a pin: a pin that asks us about its own messages would go round in
    /// circles.
    static var externalPins: ExternalPins {
        let mark = "CVM_CLEVIS_INSIDE_PIN"
        let inherited = [
            "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "TPM2TOOLS_TCTI", "TCTI",
        ]
        let environment = inherited.compactMap { name in variable(name).map { "\(name)=\($0)" } }
        return ExternalPins(
            path: variable(mark) == nil ? variable("PATH") ?? "" : "", environment: environment + ["\(mark)=1"])
    }

    /// Where signatures over PCR values are: `$CVM_CLEVIS_PCR_SIGNATURE`, else where systemd leaves them.
    static var pcrSignatures: [String] { variable("CVM_CLEVIS_PCR_SIGNATURE").map { [$0] } ?? TPM2Pin.signatureFiles }

    /// `$TMPDIR`, else `/tmp`.
    static var temporary: String { variable("TMPDIR") ?? "/tmp" }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name), unsafe value.pointee != 0 else { return nil }
        return unsafe String(cString: value)
    }
}
