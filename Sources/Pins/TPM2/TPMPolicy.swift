// SPDX-License-Identifier: Apache-2.0
internal import CTSS2
internal import PinKit

extension TPM {
    /// Tells a session what an object demands, in the order that its policy was made in. In a trial session nothing has to
    /// be true: the TPM only computes the digest.
    ///
    /// - Parameter digest: of the values of `conditions.pcrs`; empty for those they have now.
    /// - Parameter signatures: nil in a trial session.
    func meet(
        _ conditions: Conditions, digest: [UInt8] = [], signatures: PCRSignatures?, in session: ESYS_TR
    ) throws(PinError) {
        // It replaces what the session has, so it comes first.
        if let signed = conditions.signed { try approve(signed, by: signatures, in: session) }
        if let pcrs = conditions.pcrs { try require(pcrs, digest: digest, in: session) }
        if conditions.pin {
            try stack.check(unsafe cvm_tss2_policy_auth_value(stack.functions, context, session), "TPM2_PolicyAuthValue")
        }
    }

    /// Adds `selection` to the policy of `session`: with the values of `digest`, or those of now where it is empty.
    private func require(_ selection: PCRSelection, digest: [UInt8] = [], in session: ESYS_TR) throws(PinError) {
        let code = unsafe cvm_tss2_policy_pcr(
            stack.functions, context, session, selection.bank.identifier, selection.bits, digest, digest.count)
        try stack.check(code, "TPM2_PolicyPCR")
    }

    func policyDigest(of session: ESYS_TR) throws(PinError) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 64)
        var count = 0
        let code = unsafe cvm_tss2_policy_digest(stack.functions, context, session, &digest, &count)
        try stack.check(code, "TPM2_PolicyGetDigest")
        return Array(digest.prefix(count))
    }

    /// Lets the values that the PCRs have now stand for whatever the owner of the key signs.
    private func approve(_ signed: SignedPCRs, by signatures: PCRSignatures?, in session: ESYS_TR) throws(PinError) {
        let key = try loadPublic(signed.key)
        guard let signatures else { return try authorize([], by: key, signature: [], in: session) }
        try require(signed.pcrs, in: session)
        let policy = try policyDigest(of: session)
        let candidates = try signatures.signatures(by: signed.key, over: policy, of: signed.pcrs)
        for candidate in candidates.dropLast() {
            if (try? authorize(policy, by: key, signature: candidate, in: session)) != nil { return }
        }
        try authorize(policy, by: key, signature: candidates.last ?? [], in: session)
    }

    private func authorize(
        _ policy: [UInt8], by key: ESYS_TR, signature: [UInt8], in session: ESYS_TR
    ) throws(PinError) {
        // What is signed is the policy and a reference to it, which systemd leaves empty.
        let code = unsafe cvm_tss2_policy_authorize(
            stack.functions, context, session, key, policy, policy.count, Digest.sha256(policy), signature, signature.count)
        try stack.check(code, "TPM2_PolicyAuthorize")
    }

    private func loadPublic(_ key: PolicyKey) throws(PinError) -> ESYS_TR {
        var form = try publicHalf(key.template)
        return try keeping("TPM2_LoadExternal") { unsafe cvm_tss2_load_external(stack.functions, context, &form, &$0) }
    }
}
