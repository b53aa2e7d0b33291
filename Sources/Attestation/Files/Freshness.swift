// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// Was the evidence made for this request? Where the answer stands depends on who asked the platform: the guest itself, whose
/// report data is then a digest or the nonce, or on Azure the paravisor, whose guest had its virtual TPM quote the nonce.
struct Freshness {
    private let file: EvidenceFile
    private let reportData: [UInt8]

    /// `reportData`: of the genuine report or quote.
    init(_ file: EvidenceFile, _ reportData: [UInt8]) {
        self.file = file
        self.reportData = reportData
    }

    func judge(_ request: EvidenceReviewer.Request, in review: inout EvidenceReview) {
        if case .reportData(let expected) = request { return compare(reportData, expected, "report data", in: &review) }
        var nonce: [UInt8]?
        if case .nonce(let bytes) = request { nonce = bytes }
        if let message = file.request {
            judge(message, nonce, in: &review)
        } else if let nonce {
            if let vtpm = file.vtpm { return judge(vtpm, over: nonce, in: &review) }
            compare(reportData, nonce + [UInt8](repeating: 0, count: max(0, 64 - nonce.count)), "report data", in: &review)
        } else {
            review.add("fresh", nil, "neither a nonce nor report data was given: it may be old, or another guest's")
        }
    }

    /// A KBS client's: the nonce is in the message, or stayed with the server; report data is a digest of it and the key.
    private func judge(_ message: KBSRequest, _ nonce: [UInt8]?, in review: inout EvidenceReview) {
        let given = nonce.map { Base64.encode($0) }
        guard let text = message.nonce ?? given else {
            return review.add(
                "fresh", nil, "the message is of a protocol whose nonce stays with the server, and none was given")
        }
        guard given == nil || given == text else {
            return review.add("fresh", .refused, "the message is for the nonce \(text), not \(given ?? "")")
        }
        let expected = message.reportData(nonce: text)
        if let vtpm = file.vtpm { return judge(vtpm, over: Array(expected.prefix(48)), in: &review) }
        compare(reportData, expected, "report data", in: &review)
    }

    private func judge(_ vtpm: AzureVTPM, over nonce: [UInt8], in review: inout EvidenceReview) {
        guard vtpm.isOver(nonce: nonce) || vtpm.qualifyingData != nonce else {
            return review.add("fresh", .refused, "the virtual TPM's quote is over the nonce, the report's user data is not")
        }
        compare(vtpm.qualifyingData, nonce, "quoted data", in: &review)
    }

    private func compare(_ actual: [UInt8], _ expected: [UInt8], _ name: String, in review: inout EvidenceReview) {
        guard actual == expected else {
            return review.add(
                "fresh", .refused, "\(name) is \(Hex.encode(actual)), not \(Hex.encode(expected)): made for another request")
        }
        review.add("fresh", .accepted, "\(name) is what was asked for")
    }
}
