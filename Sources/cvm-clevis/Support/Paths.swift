// SPDX-License-Identifier: Apache-2.0
import Glibc
import TPM2Pin

/// Where the owner's own files are. The environment is read here and nowhere else.
enum Paths {
    /// `$XDG_CONFIG_HOME/cvm-clevis`, else `~/.config/cvm-clevis`.
    static var configuration: String {
        if let base = variable("XDG_CONFIG_HOME"), base.hasPrefix("/") { return "\(base)/cvm-clevis" }
        return "\(variable("HOME") ?? "/root")/.config/cvm-clevis"
    }

    /// Where the TPM is: `$TPM2TOOLS_TCTI` as for stock clevis, `$TCTI` as for its successor in Rust, else the kernel's.
    static var tpm: String { variable("TPM2TOOLS_TCTI") ?? variable("TCTI") ?? TPM2Pin.kernelTPM }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name), unsafe value.pointee != 0 else { return nil }
        return unsafe String(cString: value)
    }
}
