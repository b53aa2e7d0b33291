// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import BrokerProtocol
internal import FileIO
internal import PinKit
internal import TEE

/// Is the evidence genuine, and was it made for this request?
package struct EvidenceCheck: Sendable {
    /// Why a request gets no results.
    struct Refusal: Error {
        let reason: String
        var failures: [FailedPredicate] = []
        var isSimulated = false
    }

    private let verifier: SNPVerifier

    /// Believes AMD and, where a directory with `ark.pem` and `ask.pem` is given, the simulator that has their keys.
    package init(simulatorTrust directory: String?) throws(BrokerError) {
        var anchors = TrustAnchors.amd
        if let directory {
            let ark = try KeyFile.readText("\(directory)/ark.pem")
            let ask = try KeyFile.readText("\(directory)/ask.pem")
            anchors = try BrokerError.wrapping(directory) { () throws(EvidenceError) in
                try TrustAnchors.amd.addingSimulated(ark: Array(ark.utf8), ask: Array(ask.utf8))
            }
        }
        verifier = SNPVerifier(anchors: anchors)
    }

    /// `broker`: the thumbprint of the key that the request's envelopes must be for.
    func verify(_ request: UnsealRequest, broker: String, at now: Int64) throws(Refusal) -> VerifiedEvidence {
        guard case .snp(let report, let certificates) = request.evidence else {
            throw Refusal(reason: "this broker cannot judge evidence of \(request.tee.title)")
        }
        let genuine: GenuineSNP
        do throws(EvidenceError) {
            genuine = try verifier.verify(report: report, certificates: certificates, at: now)
        } catch {
            throw Refusal(reason: "the evidence is not genuine: \(error)")
        }
        let expected = request.reportData(broker: broker)
        guard genuine.report.reportData == expected else {
            let failure = FailedPredicate(
                predicate: "report data", expected: Hex.encode(expected), actual: Hex.encode(genuine.report.reportData))
            throw Refusal(
                reason: "the evidence was made for another request, another key or another broker", failures: [failure],
                isSimulated: genuine.isSimulated)
        }
        return VerifiedEvidence(genuine: genuine)
    }
}

/// Genuine evidence that was made for the request it came with.
struct VerifiedEvidence: Sendable {
    let genuine: GenuineSNP

    var platform: Platform { .snp }

    var isSimulated: Bool { genuine.isSimulated }

    /// CHIP_ID in base64url, 86 characters.
    var chip: String { Base64URL.encode(genuine.report.chipID) }
}
