// SPDX-License-Identifier: Apache-2.0
internal import Attestation
package import BrokerProtocol
package import PinKit
internal import TEE

/// `POST /kbs/v0/attest`, of any version: evidence for a nonce and a key.
package struct AttestRequest: Sendable {
    /// Evidence as numbers in JSON is four times as long as it is; with an event log in base64.
    package static let maximumLength = 768 << 10

    package let key: GuestTEEKey
    /// As the guest has it; nil before 0.4.0, when it stayed with the server.
    package let nonce: String?
    package let evidence: EvidenceDocument
    package let initData: InitData?
    private let request: KBSRequest

    /// `version` and `tee` are what the session was begun with: the body names neither.
    package init(body: [UInt8], version: KBSVersion, tee: Platform) throws(JSONError) {
        let json = try JSON(parsing: body, limit: AttestRequest.maximumLength)
        let carriesNonce = json["runtime-data"] != nil
        guard carriesNonce == (version == .v0_4_0) else {
            throw JSONError(place: "runtime-data", problem: "does not fit protocol version \(version.rawValue)")
        }
        let key = carriesNonce ? json["runtime-data"]?["tee-pubkey"] : json["tee-pubkey"]
        self.key = try GuestTEEKey(key ?? .null, of: version)
        let (request, evidence) = try Self.read(body)
        guard evidence.platform == tee else {
            throw JSONError(place: "tee-evidence", problem: "is not of \(tee.rawValue), which auth was asked for")
        }
        guard evidence.isWithinLimits else { throw JSONError(place: "tee-evidence", problem: "is too long") }
        self.request = request
        self.evidence = evidence
        nonce = request.nonce
        initData = try json["init-data"].flatMap { (json) throws(JSONError) in
            json == .null ? nil : try InitData(json)
        }
    }

    /// What the evidence must carry.
    package func reportData(nonce: String) -> [UInt8] { request.reportData(nonce: nonce) }

    private static func read(_ body: [UInt8]) throws(JSONError) -> (KBSRequest, EvidenceDocument) {
        let file: EvidenceFile
        do throws(EvidenceError) {
            file = try EvidenceFile(parsing: body)
        } catch {
            throw JSONError(place: "tee-evidence", problem: error.detail)
        }
        guard let request = file.request else { throw JSONError(place: "tee-evidence", problem: "is missing") }
        guard file.vtpm == nil else {
            throw JSONError(place: "tee-evidence", problem: "comes through a virtual TPM: the nonce is not in the report")
        }
        switch file.evidence {
        case .snp(let report, let table):
            return (request, .snp(report: report, certificates: table.entries.isEmpty ? [] : table.encoded))
        case .tdx(let quote, let eventLog): return (request, .tdx(quote: quote, eventLog: eventLog))
        }
    }
}
