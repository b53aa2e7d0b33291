// SPDX-License-Identifier: Apache-2.0
package import PinKit

extension TPM2Pin {
    /// One line about a message that may not open.
    package struct Finding: Sendable, Equatable {
        package enum Severity: Sendable {
            /// As things are, it does not open.
            case failure
            /// It opens, but not for long, or not surely.
            case warning
        }

        package let severity: Severity
        package let text: String

        init(_ severity: Severity, _ text: String) {
            self.severity = severity
            self.text = text
        }
    }

    /// What would keep `message` from opening on this machine as it is now: no TPM, another TPM, no storage root key, PCRs
    /// that moved, no signature over their values, a lockout, and a PIN that must be typed. Nothing where nothing does.
    ///
    /// The object is loaded and its policy is met in a session, but nothing is unsealed and no PIN is asked for, so nothing
    /// changes in the TPM. A PIN is therefore not tried. A policy is one digest over all that it demands: which of several
    /// PCRs has moved cannot be told from it.
    package func preflight(_ message: JWE) -> [Finding] {
        do throws(PinError) {
            return sealer.inspect(try TPM2Header(message))
        } catch {
            return [Finding(.failure, error.description)]
        }
    }
}

extension Sealer {
    /// A policy that was met as the header says, and is not the object's.
    static func mismatch(_ conditions: Conditions) -> TPM2Pin.Finding {
        guard let pcrs = conditions.pcrs else {
            return TPM2Pin.Finding(.failure, "the object demands another policy than its header says")
        }
        return TPM2Pin.Finding(.failure, "\(pcrs.description): other values than at binding")
    }

    static func findings(aboutPIN lockout: Lockout) -> [TPM2Pin.Finding] {
        if lockout.isActive { return [TPM2Pin.Finding(.failure, "too many wrong PINs: \(lockout.description)")] }
        let untried = TPM2Pin.Finding(.warning, "needs a PIN, which was not tried; cvm-clevis-unlock has nobody to ask")
        guard lockout.failures > 0 else { return [untried] }
        return [untried, TPM2Pin.Finding(.warning, "wrong PINs were given: \(lockout.description)")]
    }
}
