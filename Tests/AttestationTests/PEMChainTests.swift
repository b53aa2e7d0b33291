// SPDX-License-Identifier: Apache-2.0
import Attestation
import PinKit
import TEE
import Testing

/// The chain of a quote, read by the one who reads it.
private func verify(_ change: (String) -> String) throws(EvidenceError) -> GenuineTDX {
    let intel = FakeIntel()
    let quote = try TDXQuote(parsing: intel.quote())
    let old = quote.signature
    let text = change(String(decoding: old.certificates.dropLast(), as: UTF8.self))
    let signature = TDXQuoteSignature(
        signature: old.signature, attestationKey: old.attestationKey, qeReport: old.qeReport,
        qeReportSignature: old.qeReportSignature, qeAuthentication: old.qeAuthentication, certificates: Array(text.utf8))
    return try intel.verifier().verify(
        quote: TDXQuote.encode(signed: quote.signedBytes, signature: signature), at: FakeIntel.now)
}

@Suite struct PEMChainTests {
    private static let end = "-----END CERTIFICATE-----\n"

    @Test(
        arguments: [
            { $0 }, { $0 + "\0" }, { $0 + "\n\n" }, { "\n" + $0 }, { $0.split(separator: "\n").joined(separator: "\r\n") },
            { $0.split(separator: end).joined(separator: end + "\n") + end }, { String($0.dropLast()) },
        ] as [@Sendable (String) -> String])
    func `a chain in PEM is read with either kind of line, empty ones between, and a NUL at its end`(
        change: @Sendable (String) -> String
    ) throws {
        #expect(throws: Never.self) { try verify(change) }
    }

    @Test(
        arguments: [
            { _ in "" }, { $0 + "\0\0" }, { $0 + "more\n" }, { "more\n" + $0 }, { String($0.dropLast(2)) }, { $0 + $0 },
            { $0.replacing("CERTIFICATE", with: "PUBLIC KEY") }, { $0.replacing("=\n", with: "==\n") },
            { $0.replacing("-----BEGIN", with: " -----BEGIN") }, { $0.replacing("\n", with: "\n ") },
            { $0.split(separator: end).dropLast().joined(separator: end) + end },
        ] as [@Sendable (String) -> String])
    func `a chain with anything else in it, or with another number of certificates, is malformed`(
        change: @Sendable (String) -> String
    ) {
        #expect(throws: EvidenceError(.malformed)) { try verify(change) }
    }
}
