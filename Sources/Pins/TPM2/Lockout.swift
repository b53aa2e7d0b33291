// SPDX-License-Identifier: Apache-2.0
internal import CTSS2
internal import PinKit

/// How a TPM protects PINs from guessing: it counts wrong ones, and at a limit answers none until time has passed.
struct Lockout {
    let isActive: Bool
    let failures: Int
    let limit: Int
    /// Seconds after which one failure is forgiven; 0 for never.
    let interval: Int

    var triesLeft: Int { isActive ? 0 : max(0, limit - failures) }

    var description: String {
        let pardon = interval == 0 ? "it forgives none by itself" : "it forgives one every \(interval) s"
        let state = isActive ? "locked" : "\(triesLeft) of \(limit) tries left"
        return "\(state); \(pardon); tpm2_dictionarylockout -c forgives all"
    }
}

extension TPM {
    func lockout() throws(PinError) -> Lockout {
        var state = cvm_tss2_lockout()
        try stack.check(unsafe cvm_tss2_lockout(stack.functions, context, &state), "TPM2_GetCapability")
        return Lockout(
            isActive: state.permanent & 0x200 != 0, failures: Int(state.failures), limit: Int(state.limit),
            interval: Int(state.interval))
    }
}
