// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// What must be true for a TPM to give an object back, told to the TPM in this order (docs/spec/pins.md §5.2).
struct Conditions {
    /// PCRs have values that somebody signed.
    let signed: SignedPCRs?
    /// PCRs have the values that were meant at binding.
    let pcrs: PCRSelection?
    /// A person knows the PIN.
    let pin: Bool

    /// Whether there is no policy at all: then the object's empty password opens it.
    var isEmpty: Bool { signed == nil && pcrs == nil && !pin }

    /// Whether clevis knows conditions like these.
    var areClevis: Bool { signed == nil && !pin }

    /// Members as a configuration and a header have them.
    var members: JSONObject {
        var members: JSONObject = [:]
        if let bank = pcrs?.bank ?? signed?.pcrs.bank { members["pcr_bank"] = .string(bank.rawValue) }
        if let pcrs { members["pcr_ids"] = .string(pcrs.text) }
        if pin { members["pin"] = true }
        if let signed {
            members["pubkey"] = signed.key.jwk
            members["pubkey_pcrs"] = .string(signed.pcrs.text)
        }
        return members
    }
}

/// PCRs whose values the owner of `key` approves with a signature, now or later.
struct SignedPCRs {
    /// The PCR into which systemd's stub measures the kernel that it boots.
    static let usualPCRs = "11"

    let key: PolicyKey
    let pcrs: PCRSelection
}

extension JSONReader {
    /// PCRs of `bank` in any of clevis' spellings; nil where nothing names any.
    mutating func pcrs(_ name: String, in bank: TPMHash?) throws(JSONError) -> PCRSelection? {
        guard let json = optional(name) else { return nil }
        guard let bank else { throw error(at: "pcr_bank", "is missing") }
        guard let text = PCRSelection.text(of: json), let pcrs = PCRSelection(bank: bank, text: text) else {
            throw error(at: name, #"must be PCRs from 0 to 23, as "7,11" or [7,11]"#)
        }
        return pcrs
    }

    /// `pubkey`, which `readKey` reads, and `pubkey_pcrs`; nil where there is no key.
    mutating func signedPCRs(
        in bank: TPMHash?, readKey: (JSON, String) throws(JSONError) -> PolicyKey
    ) throws(JSONError) -> SignedPCRs? {
        let pcrs = try pcrs("pubkey_pcrs", in: bank)
        guard let json = optional("pubkey") else {
            guard pcrs == nil else { throw error(at: "pubkey_pcrs", "without pubkey means nothing") }
            return nil
        }
        guard let pcrs = pcrs ?? bank.flatMap({ PCRSelection(bank: $0, text: SignedPCRs.usualPCRs) }) else {
            throw error(at: "pcr_bank", "is missing")
        }
        return SignedPCRs(key: try readKey(json, error(at: "pubkey", "").place), pcrs: pcrs)
    }

    mutating func hash(_ name: String) throws(JSONError) -> TPMHash? {
        guard let text = try optionalString(name) else { return nil }
        guard let hash = TPMHash(rawValue: text) else { throw error(at: name, "must be sha1, sha256, sha384 or sha512") }
        return hash
    }
}
