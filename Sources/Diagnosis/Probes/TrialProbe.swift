// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// Asks the pin for its secret, and forgets it.
package struct TrialProbe: Probe {
    package let pins: [String] = []

    package init() {}

    package func examine(_ message: JWE, in run: Run) -> [Finding] {
        do throws(PinError) {
            _ = try run.registry.pin(of: message).decrypt(message, in: run)
            return [Finding(.ok, .pin, "gives its secret back")]
        } catch {
            return [Finding(failure: error)]
        }
    }
}

extension Finding {
    /// What a pin said when it failed.
    init(failure error: PinError, remedy: String? = nil) {
        let text = "\(error)"
        switch error.code {
        case .unavailable:
            self.init(.fails, .unreachable, text, remedy: remedy ?? "see to it that it can be reached at boot")
        case .refused: self.init(.fails, .refused, text, remedy: remedy ?? "bind it anew")
        default: self.init(.fails, .pin, text, remedy: remedy ?? "bind it anew")
        }
    }
}
