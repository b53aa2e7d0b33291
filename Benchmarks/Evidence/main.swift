// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import Glibc
internal import PinKit
internal import TEE
internal import TEESimulator

// What verifying evidence costs beside the signatures that nobody can save, both measured in this process by turns. A program
// rather than a test: a ratio means something in a release build on a machine that does nothing else.

let comparisons = [try snpReport()]
for comparison in comparisons { print(comparison) }
exit(comparisons.allSatisfy(\.isMet) ? 0 : 1)

/// One SNP report of a key whose certificate is known, and one verification of P-384 by libcrypto.
private func snpReport() throws -> Comparison {
    let platform = try SimulatedSNP()
    let report = try platform.report(for: [UInt8](repeating: 1, count: 64))
    let anchors = try TrustAnchors.amd.addingSimulated(ark: platform.arkDER, ask: platform.askDER)
    let verifier = SNPVerifier(anchors: anchors)
    let now = Int64(time(nil))
    let parsed = try SNPReport(parsing: report)
    let reference = SignatureCheck(
        certificate: platform.endorsementDER, signature: parsed.signature, message: parsed.signedBytes, .sha384)
    return Comparison(
        "SNP report, chain cached", bar: 1.1,
        ours: { (try? verifier.verify(report: report, certificates: platform.certificates, at: now)) != nil },
        "libcrypto's P-384 with SHA-384", reference: { reference.holds })
}
