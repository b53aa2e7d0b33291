// SPDX-License-Identifier: Apache-2.0
internal import CTSS2
public import PinKit

/// PCR 15, which says what system this became: which volumes it opened (systemd, TPM2_PCR_MEASUREMENTS.md).
public struct SystemIdentity: Sendable {
    public static let pcr = 15

    private let tcti: String

    /// - Parameter tcti: where the TPM is, as tss2 spells it.
    public init(tcti: String = TPM2Pin.kernelTPM) { self.tcti = tcti }

    /// What a bank was extended by.
    public struct Extension: Sendable, Equatable {
        /// As in `sha256`.
        public let bank: String
        public let digest: [UInt8]
    }

    /// Extends the PCR, in every bank that the TPM has it in, by the HMAC of `record` under `key`. The key stays here: what
    /// crosses the bus is an HMAC of public text.
    public func extend(by record: String, under key: borrowing SecretBytes) throws(PinError) -> [Extension] {
        let tpm = try TPM(at: tcti)
        var extensions: [Extension] = []
        for bank in TPMHash.allCases {
            guard let selection = PCRSelection(bank: bank, text: String(Self.pcr)), try tpm.has(selection) else { continue }
            let digest = try key.hmac(bank.rawValue.uppercased(), of: record)
            extensions.append(Extension(bank: bank.rawValue, digest: digest))
        }
        guard !extensions.isEmpty else {
            throw PinError(.unavailable, step: "extend PCR \(Self.pcr)", detail: "the TPM has no bank with it")
        }
        try tpm.extend(UInt32(Self.pcr), by: extensions)
        return extensions
    }
}

extension TPM {
    fileprivate func extend(_ pcr: UInt32, by extensions: [SystemIdentity.Extension]) throws(PinError) {
        var digests = TPML_DIGEST_VALUES()
        for one in extensions {
            guard let bank = TPMHash(rawValue: one.bank),
                unsafe cvm_tss2_add_digest(&digests, bank.identifier, one.digest, one.digest.count) == 1
            else { throw PinError(.failed, step: "TPM2_PCR_Extend", detail: "too many banks") }
        }
        try stack.check(unsafe cvm_tss2_extend(stack.functions, context, pcr, &digests), "TPM2_PCR_Extend")
    }
}
