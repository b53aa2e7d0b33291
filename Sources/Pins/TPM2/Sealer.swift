// SPDX-License-Identifier: Apache-2.0
internal import CTSS2
package import PinKit
internal import Synchronization

/// Both ways of a sealed object, each in one conversation.
package struct Sealer: Sendable {
    let tcti: String
    /// Where signatures over PCR values are looked for.
    let signatureFiles: [String]
    /// Without a resource manager a TPM has room for three objects: messages of one process wait for each other.
    private static let turn = Mutex(())

    package init(tcti: String, signatureFiles: [String] = TPM2Pin.signatureFiles) {
        self.tcti = tcti
        self.signatureFiles = signatureFiles
    }

    /// - Parameter secret: at most 128 bytes.
    /// - Parameter auth: the auth value that the object demands; empty unless the configuration asks for a PIN.
    package func seal(
        _ secret: borrowing SecretBytes, auth: borrowing SecretBytes, _ configuration: TPM2Configuration
    ) throws(PinError) -> TPM2Header {
        try converse { (tpm) throws(PinError) in
            let parent = try tpm.load(configuration.parent)
            let conditions = configuration.conditions
            let policy = try Sealer.policy(of: configuration, on: tpm, parent)
            let session = try tpm.startSession(.sealing, hash: .sha256, saltedWith: parent)
            let template = SealedObject.template(policy: policy, guarded: conditions.pin)
            let object = try tpm.seal(secret, auth: auth, as: template, under: parent, session: session)
            return TPM2Header(
                parent: configuration.parent, parentName: try tpm.name(of: parent), object: object, conditions: conditions)
        }
    }

    /// - Parameter auth: what the object was sealed with.
    package func unseal(
        _ header: TPM2Header, auth: borrowing SecretBytes, before deadline: Deadline
    ) throws(PinError) -> SecretBytes {
        let signatures = try header.conditions.signed.map { (_) throws(PinError) in
            try PCRSignatures(reading: signatureFiles)
        }
        return try converse(before: deadline) { (tpm) throws(PinError) in
            let (object, session) = try Sealer.load(header, on: tpm)
            try tpm.meet(header.conditions, signatures: signatures, in: session)
            do throws(UnsealFailure) {
                return try tpm.unseal(object, auth: auth, session: session)
            } catch {
                throw Sealer.explain(error, header.conditions, tpm)
            }
        }
    }

    /// One conversation, while no other thread has one.
    private func converse<R: ~Copyable>(
        before deadline: Deadline? = nil, _ body: (TPM) throws(PinError) -> R
    ) throws(PinError) -> R {
        try Sealer.turn.withLock { (_) throws(PinError) in
            if let deadline, deadline.hasPassed {
                throw PinError(.unavailable, step: "wait for the TPM", detail: "no time is left")
            }
            let tpm = try TPM(at: tcti)
            do throws(PinError) {
                return try body(tpm)
            } catch {
                // A locked TPM answers nothing that needs a password which it protects, and an empty one of a primary key is one.
                guard error == PinError(.unavailable), let state = try? tpm.lockout(), state.isActive else { throw error }
                throw PinError(
                    .unavailable, step: error.step, detail: "too many wrong PINs: \(state.description); \(error.detail)")
            }
        }
    }

    /// Says what would keep `header` from opening now; nothing is unsealed.
    func inspect(_ header: TPM2Header) -> [TPM2Pin.Finding] {
        var findings: [TPM2Pin.Finding] = []
        do throws(PinError) {
            try converse { (tpm) throws(PinError) in
                if header.conditions.pin { findings += Sealer.findings(aboutPIN: try tpm.lockout()) }
                guard findings.allSatisfy({ $0.severity != .failure }) else { return }
                let (_, session) = try Sealer.load(header, on: tpm)
                let signatures = try header.conditions.signed.map { (_) throws(PinError) in
                    try PCRSignatures(reading: signatureFiles)
                }
                // In a session without a policy there is nothing to meet, and no digest to ask for.
                try tpm.meet(header.conditions, signatures: signatures, in: session)
                let policy = header.conditions.isEmpty ? [] : try tpm.policyDigest(of: session)
                if policy != header.object.policy { findings.append(Sealer.mismatch(header.conditions)) }
            }
        } catch {
            findings.append(TPM2Pin.Finding(.failure, error.description))
        }
        return findings
    }

    /// The digest that the TPM computes for what the configuration asks for; empty where that is nothing.
    private static func policy(
        of configuration: TPM2Configuration, on tpm: TPM, _ parent: ESYS_TR
    ) throws(PinError) -> [UInt8] {
        let conditions = configuration.conditions
        for pcrs in [conditions.pcrs, conditions.signed?.pcrs] {
            guard let pcrs, try !tpm.has(pcrs) else { continue }
            throw PinError(.malformed, step: "configuration", detail: "this TPM has no \(pcrs.description)")
        }
        guard !conditions.isEmpty else { return [] }
        let trial = try tpm.startSession(.trial, hash: .sha256, saltedWith: parent)
        try tpm.meet(conditions, digest: configuration.digest, signatures: nil, in: trial)
        return try tpm.policyDigest(of: trial)
    }

    /// The object, and a session for it in which nothing was proved yet.
    private static func load(_ header: TPM2Header, on tpm: TPM) throws(PinError) -> (object: ESYS_TR, session: ESYS_TR) {
        let parent = try tpm.load(header.parent)
        if !header.parentName.isEmpty, try tpm.name(of: parent) != header.parentName {
            throw PinError(
                .refused, step: "find the parent key",
                detail: "it is another one than at binding: another TPM, one that was cleared, or somebody in between")
        }
        let object = try tpm.load(header.object, under: parent)
        // The policy is hashed with the object's nameAlg, whatever the primary's hash is.
        let kind: SessionKind = header.conditions.isEmpty ? .unsealing : .policy
        return (object, try tpm.startSession(kind, hash: header.object.hash, saltedWith: parent))
    }

    private static func explain(_ failure: UnsealFailure, _ conditions: Conditions, _ tpm: TPM) -> PinError {
        let error = failure.error
        switch failure.answer {
        case .authFails where conditions.pin:
            let state = (try? tpm.lockout()).map { "; the TPM: \($0.description)" } ?? ""
            return PinError(.refused, step: error.step, detail: "wrong PIN\(state); \(error.detail)")
        case .policyFails where conditions.pcrs != nil:
            return PinError(.refused, step: error.step, detail: "\(mismatch(conditions).text); \(error.detail)")
        default: return error
        }
    }
}
