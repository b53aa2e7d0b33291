// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// The pretend quoting enclave: it signs quotes with an attestation key, and the platform's PCK vouches for that key.
struct QuotingEnclave: Sendable {
    /// Who signed it, 32 bytes, as the simulated QE identity says.
    static let signer = Digest.sha256(Array("cvm-tee-sim: the signer of no quoting enclave".utf8))
    static let productID: UInt64 = 2
    /// INIT, MODE64BIT, PROVISIONKEY, EINITTOKEN_KEY off; x87, SSE and AVX: 16 bytes as Intel's enclave has them.
    static let attributes: [UInt8] = [0x15, 0, 0, 0, 0, 0, 0, 0, 0xe7, 0, 0, 0, 0, 0, 0, 0]
    /// Intel's vendor ID, in the quote's header.
    private static let vendor: [UInt8] = [
        0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
    ]
    private static let authentication = [UInt8](0..<32)

    private let settings: TDXSettings
    private let attestationKey: SimulatedKey
    private let pck: SimulatedKey
    /// PEM: PCK, platform CA, root.
    private let chain: [UInt8]

    init(_ settings: TDXSettings, pck: SimulatedKey, chain: [UInt8]) throws(SimulatorError) {
        self.settings = settings
        self.pck = pck
        self.chain = chain
        attestationKey = try SimulatedKey(pem: SimulatedIntelKeys.attestation)
    }

    func quote(of report: [UInt8]) throws(SimulatorError) -> [UInt8] {
        guard let report = TDReport(report) else { throw SimulatorError("no TD report") }
        let signed = TDXQuote.signedBytes(of: report, version: settings.version, vendor: Self.vendor)
        let point = try attestationKey.point()
        guard let qeReport = QEReport(self.report(about: point)) else { throw SimulatorError("no QE report") }
        // The platform CA's key is as good as any that the report is not about.
        let swaps = settings.flaws.swapsAttestationKey
        let signer = swaps ? try SimulatedKey(pem: SimulatedIntelKeys.platformCA) : attestationKey
        let signature = TDXQuoteSignature(
            signature: try signer.es256Signature(over: signed), attestationKey: try signer.point(), qeReport: qeReport,
            qeReportSignature: try pck.es256Signature(over: qeReport.raw), qeAuthentication: Self.authentication,
            certificates: chain)
        return TDXQuote.encode(signed: signed, signature: signature)
    }

    private func report(about point: [UInt8]) -> [UInt8] {
        let signer = settings.flaws.hasForeignQE ? Self.signer.map { ~$0 } : Self.signer
        var report = [UInt8](repeating: 0, count: QEReport.byteCount)
        TDXField.qeAttributes.put(Self.attributes, into: &report)
        TDXField.qeMREnclave.put(Digest.sha256(Array("cvm-tee-sim: no quoting enclave".utf8)), into: &report)
        TDXField.qeMRSigner.put(signer, into: &report)
        TDXField.qeProductID.put(Self.productID, into: &report)
        TDXField.qeSVN.put(UInt64(settings.qeSVN), into: &report)
        let binding = Digest.sha256(point + Self.authentication)
        TDXField.qeReportData.put(binding + [UInt8](repeating: 0, count: 32), into: &report)
        return report
    }
}
