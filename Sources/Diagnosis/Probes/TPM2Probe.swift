// SPDX-License-Identifier: Apache-2.0
package import PinKit
package import TPM2Pin

/// Meets the policy in the TPM without unsealing: PCRs as they are now, no PIN.
package struct TPM2Probe: Probe {
    package let pins = ["tpm2"]
    private let pin: TPM2Pin

    package init(_ pin: TPM2Pin) { self.pin = pin }

    package func examine(_ message: JWE, in run: Run) -> [Finding] {
        let found = pin.preflight(message)
        guard !found.isEmpty else { return [Finding(.ok, .pin, "the TPM would give its secret back")] }
        return found.map { finding in
            switch finding.severity {
            case .failure:
                Finding(.fails, .tpm, finding.text, remedy: "see to the TPM, or bind anew with PCRs as they will be at boot")
            case .warning: Finding(.warning, .tpm, finding.text, remedy: "see to it before the next boot")
            }
        }
    }
}
