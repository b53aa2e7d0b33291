// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// A key that quotes are signed with, for which Intel's PCK of the platform vouches by way of a quoting enclave's report. Not
/// yet judged: dates, revocation, which enclave it is, and the quote.
struct AttestationKey: Sendable {
    let endorsement: PCKEndorsement
    private let key: P256Key

    /// Follows the chain, and checks that the PCK signed the enclave's report and that the report is over this key.
    init(_ signature: TDXQuoteSignature, anchors: TDXTrustAnchors) throws(EvidenceError) {
        self.endorsement = try PCKEndorsement(signature.certificates, anchors: anchors)
        guard endorsement.certificate.verifiesES256(signature.qeReportSignature, over: signature.qeReport.raw) else {
            throw EvidenceError(.refused, step: "QE report signature", detail: "not by the key of the PCK certificate")
        }
        let binding = Digest.sha256(signature.attestationKey + signature.qeAuthentication)
        guard signature.qeReport.reportData == binding + [UInt8](repeating: 0, count: 32) else {
            throw EvidenceError(.refused, step: "attestation key", detail: "not the one that the QE report is about")
        }
        guard let key = P256Key(signature.attestationKey) else {
            throw EvidenceError(.refused, step: "attestation key", detail: "not a point on P-256")
        }
        self.key = key
    }

    /// That this key signed the quote, and that its header and report are what they must be in all of them.
    func check(_ quote: TDXQuote) throws(EvidenceError) {
        guard quote.qeVendor == IntelFigures.qeVendor else {
            throw EvidenceError(
                .refused, step: "quoting enclave", detail: "its vendor is \(Hex.encode(quote.qeVendor)), not Intel")
        }
        guard key.verifiesES256(quote.signature.signature, over: quote.signedBytes) else {
            throw EvidenceError(.refused, step: "quote signature", detail: "not by the attestation key")
        }
        // x87 and SSE state: no TDX module launches a guest without.
        guard quote.report.xfam & 0b11 == 0b11 else {
            throw EvidenceError(.refused, step: "TD report", detail: "XFAM is 0x\(String(quote.report.xfam, radix: 16))")
        }
    }
}
