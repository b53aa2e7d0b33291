// SPDX-License-Identifier: Apache-2.0
package import BrokerProtocol
package import PinKit

/// What a guest attests with, in the form of the protocol's version: for which challenge and key its evidence is to be.
package struct AttestMessage {
    private let version: KBSVersion
    private let nonce: String
    private let key: JSON
    private let hash: String

    /// Reads the answer to `auth`. `key` is the public JWK with `alg`, and no members but those that servers know.
    package init(_ challenge: [UInt8], for key: JSON, of version: KBSVersion) throws(JSONError) {
        let challenge = try JSON(parsing: challenge, limit: Challenge.maximumLength)
        guard let nonce = challenge["nonce"]?.string, (16...128).contains(nonce.utf8.count), Base64.decode(nonce) != nil
        else {
            throw JSONError(place: "nonce", problem: "is missing, or not base64 of 12 to 96 bytes")
        }
        self.nonce = nonce
        self.key = key
        self.version = version
        hash = challenge["extra-params"]?["selected-hash-algorithm"]?.string ?? "sha384"
    }

    /// 64 bytes that the evidence must carry; nil where the server wants another hash than those it was offered.
    package var reportData: [UInt8]? {
        var members: JSONObject = ["nonce": .string(nonce), "tee-pubkey": key]
        if version == .v0_4_0 { members["additional-evidence"] = "" }
        let text = Array(JSON.object(members).canonical.utf8)
        let digest: [UInt8]
        switch hash {
        case "sha256": digest = Digest.sha256(text)
        case "sha384": digest = Digest.sha384(text)
        case "sha512": digest = Digest.sha512(text)
        default: return nil
        }
        return digest + [UInt8](repeating: 0, count: 64 - digest.count)
    }

    /// The message; nil for evidence that has no place in it.
    package func body(_ evidence: EvidenceDocument) -> [UInt8]? {
        guard let evidence = json(of: evidence) else { return nil }
        let message: JSON =
            version == .v0_4_0
            ? [
                "init-data": .null, "runtime-data": ["nonce": .string(nonce), "tee-pubkey": key],
                "tee-evidence": ["primary_evidence": evidence, "additional_evidence": ""],
            ] : ["tee-pubkey": key, "tee-evidence": evidence]
        return Array(message.compact.utf8)
    }

    private func json(of evidence: EvidenceDocument) -> JSON? {
        switch evidence {
        case .snp(let report, let certificates):
            return SNPEvidence.json(report: report, certificates: certificates, isFlat: version != .v0_4_0)
        case .tdx(let quote, let eventLog):
            return [
                "cc_eventlog": eventLog.isEmpty ? .null : .string(Base64.encode(eventLog)),
                "quote": .string(Base64.encode(quote)),
            ]
        }
    }
}
