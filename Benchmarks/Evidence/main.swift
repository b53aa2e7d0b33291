// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import Glibc
internal import PinKit
internal import TEE
internal import TEESimulator

// What verifying evidence costs beside the signatures that nobody can save, both measured in this process by turns. A program
// rather than a test: a ratio means something in a release build on a machine that does nothing else.

let comparisons = [try snpReport(), try tdxQuote()]
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

/// One TDX quote with an attestation key whose chain is known, with collateral that is; and what any verifier must do that
/// remembers nothing but certificates: two signatures, of the quoting enclave's report and of the quote, the hash that binds
/// the enclave's key to its report, and one over the chain to know it again. The verifier remembers the key as well.
private func tdxQuote() throws -> Comparison {
    let platform = try SimulatedTDX()
    let quote = try platform.quote(over: [UInt8](repeating: 1, count: 64))
    let now = Int64(time(nil))
    let files = try SimulatedCollateral(at: now).files
    let collateral = TDXCollateral { name in files.first { $0.name == name }?.content }
    let anchors = try TDXTrustAnchors.intel.addingSimulated(root: Array(SimulatedTrust.intelRootPEM.utf8))
    let verifier = try TDXVerifier(anchors: anchors, collateral: [collateral])
    let parsed = try TDXQuote(parsing: quote)
    let signature = parsed.signature
    let enclave = SignatureCheck(
        certificate: signature.certificates, signature: signature.qeReportSignature, message: signature.qeReport.raw, .sha256
    )
    let guest = SignatureCheck(
        point: signature.attestationKey, signature: signature.signature, message: parsed.signedBytes, .sha256)
    let hashed = signature.attestationKey + signature.qeAuthentication
    return Comparison(
        "TDX quote, chain and collateral cached", bar: 1.2,
        ours: { (try? verifier.verify(quote: quote, at: now)) != nil },
        "two of libcrypto's P-256 with SHA-256, and two SHA-256",
        reference: {
            enclave.holds && guest.holds && Digest.sha256(signature.certificates).count == Digest.sha256(hashed).count
        })
}
