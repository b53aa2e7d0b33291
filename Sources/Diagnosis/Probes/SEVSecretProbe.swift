// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// Reads the secret where it is. Elsewhere nothing tells whether it will be: it comes with each launch, from the owner, and is
/// gone once it was used, so that its absence here says nothing of the next boot.
package struct SEVSecretProbe: Probe {
    package let pins = ["sev-secret"]

    package init() {}

    package func examine(_ message: JWE, in run: Run) -> [Finding] {
        do throws(PinError) {
            _ = try run.registry.pin(of: message).decrypt(message, in: run)
            return [Finding(.ok, .pin, "gives its secret back")]
        } catch {
            guard error.code == .unavailable else { return [Finding(failure: error)] }
            return [
                Finding(
                    .warning, .unreachable, "its secret comes with a launch, and is not here: \(error)",
                    remedy: "have the packet ready for the next launch: cvm-clevis sev-secret build")
            ]
        }
    }
}
