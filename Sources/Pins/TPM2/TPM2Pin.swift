// SPDX-License-Identifier: Apache-2.0
public import PinKit
internal import Synchronization

/// A secret that one TPM gives back, where PCRs are named only while they have the values they had at binding.
///
/// Wire-compatible with clevis' `tpm2` in both directions; no other program is started, and the key crosses the bus encrypted.
/// Configuration: `{"hash":"sha256","key":"ecc"|"rsa","pcr_bank":"sha256","pcr_ids":"7,11","pcr_digest":"…"}`, all optional.
/// Format: docs/spec/pins.md.
public struct TPM2Pin: Pin {
    public let name = "tpm2"
    private let tcti: String

    /// The kernel's own resource manager on the first TPM.
    public static let kernelTPM = "device:/dev/tpmrm0"

    /// - Parameter tcti: where the TPM is, as tss2 spells it: `device:/dev/tpmrm0`, `swtpm:path=/run/swtpm.sock`.
    public init(tcti: String = TPM2Pin.kernelTPM) { self.tcti = tcti }

    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        TPM2Encryptor(configuration: try TPM2Configuration(configuration), sealer: Sealer(tcti: tcti))
    }

    public func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        let header = try TPM2Header(message)
        let text = try Sealer(tcti: tcti).unseal(header, before: run.deadline)
        return try message.decrypt(contentKey: KeyText.read(text))
    }
}

private struct TPM2Encryptor: Encryptor {
    let configuration: TPM2Configuration
    let sealer: Sealer

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        let key = try SecretBytes.random(count: 32)
        let header = try sealer.seal(KeyText.write(key), configuration)
        return try JWE.encrypt(secret, contentKey: key, header: ["clevis": ["pin": "tpm2", "tpm2": header.json]])
    }
}

/// Both ways of a sealed object, each in one conversation.
package struct Sealer: Sendable {
    private let tcti: String
    /// Without a resource manager a TPM has room for three objects: messages of one process wait for each other.
    private static let turn = Mutex(())

    package init(tcti: String) { self.tcti = tcti }

    /// `secret`: at most 128 bytes.
    package func seal(
        _ secret: borrowing SecretBytes, _ configuration: TPM2Configuration
    ) throws(PinError) -> TPM2Header {
        try Sealer.turn.withLock { (_) throws(PinError) in
            let tpm = try TPM(at: tcti)
            let parent = try tpm.createPrimary(configuration.primary.template)
            var policy: [UInt8] = []
            if let pcrs = configuration.pcrs {
                guard try tpm.has(pcrs) else {
                    throw PinError(.malformed, step: "configuration", detail: "this TPM has no \(pcrs.description)")
                }
                let trial = try tpm.startSession(.trial, hash: .sha256, saltedWith: parent)
                try tpm.require(pcrs, digest: configuration.digest, in: trial)
                policy = try tpm.policyDigest(of: trial)
            }
            let session = try tpm.startSession(.sealing, hash: .sha256, saltedWith: parent)
            let object = try tpm.seal(secret, as: SealedObject.template(policy: policy), under: parent, session: session)
            return TPM2Header(primary: configuration.primary, object: object, pcrs: configuration.pcrs)
        }
    }

    package func unseal(_ header: TPM2Header, before deadline: Deadline) throws(PinError) -> SecretBytes {
        try Sealer.turn.withLock { (_) throws(PinError) in
            guard !deadline.hasPassed else {
                throw PinError(.unavailable, step: "wait for the TPM", detail: "no time is left")
            }
            let tpm = try TPM(at: tcti)
            let parent = try tpm.createPrimary(header.primary.template)
            let sealed = try tpm.load(header.object, under: parent)
            // The policy is hashed with the object's nameAlg, whatever the primary's hash is.
            let kind: SessionKind = header.pcrs == nil ? .unsealing : .policy
            let session = try tpm.startSession(kind, hash: header.object.hash, saltedWith: parent)
            guard let pcrs = header.pcrs else { return try tpm.unseal(sealed, session: session) }
            try tpm.require(pcrs, in: session)
            do throws(PinError) {
                return try tpm.unseal(sealed, session: session)
            } catch {
                guard error == PinError(.refused) else { throw error }
                let moved = "\(pcrs.description): other values than at binding"
                throw PinError(.refused, step: error.step, detail: "\(moved); \(error.detail)")
            }
        }
    }
}
