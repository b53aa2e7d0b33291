// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// A pretend TDX platform: it makes quotes with a quoting enclave whose key hangs on a hierarchy shaped like Intel's, so that a
/// verifier does with them everything it does with real ones. Only the root and the collateral below it differ.
///
/// For tests and for trying things at home. Nothing that is shipped links this module.
public struct SimulatedTDX: Sendable {
    public let settings: TDXSettings
    private let enclave: QuotingEnclave

    /// Mints the PCK certificate.
    public init(_ settings: TDXSettings = TDXSettings()) throws(SimulatorError) {
        try settings.check()
        self.settings = settings
        let key = try SimulatedKey(pem: SimulatedIntelKeys.pck)
        let pck = try SimulatedCertificate.pck(
            for: settings, key: key, issuer: SimulatedCertificate(pem: SimulatedIntelKeys.platformCACertificate),
            issuerKey: SimulatedKey(pem: SimulatedIntelKeys.platformCA))
        let authorities = [SimulatedIntelKeys.platformCACertificate, SimulatedIntelKeys.rootCertificate]
        let chain = try pck.pem() + authorities.map { "\($0)\n" }.joined()
        // Intel's ends in a zero byte.
        enclave = try QuotingEnclave(settings, pck: key, chain: Array(chain.utf8) + [0])
    }

    /// The CCEL area as firmware leaves it: the log of the default guest, whatever the settings say its registers are, and
    /// padding up to 64 KiB.
    public var eventLog: [UInt8] {
        let log = TDXSettings.defaultLog.encoded
        return log + [UInt8](repeating: 0xff, count: 65_536 - log.count)
    }

    /// A quote over `reportData`, which must be 64 bytes. `flipping`: offsets of bytes whose lowest bit is turned over after
    /// signing.
    public func quote(over reportData: [UInt8], flipping offsets: [Int] = []) throws(SimulatorError) -> [UInt8] {
        guard reportData.count == 64 else {
            throw SimulatorError("report data: \(reportData.count) bytes given, 64 expected")
        }
        var quote = try enclave.quote(of: report(over: reportData))
        for offset in offsets {
            guard quote.indices.contains(offset) else { throw SimulatorError("no byte \(offset) in a quote") }
            quote[offset] ^= 1
        }
        return quote + [UInt8](repeating: 0, count: settings.padding)
    }

    private func report(over reportData: [UInt8]) -> [UInt8] {
        let count = settings.version == 4 ? TDReport.byteCount10 : TDReport.byteCount15
        var report = [UInt8](repeating: 0, count: count)
        TDXField.teeTCB.put(settings.teeTCB, into: &report)
        TDXField.mrSEAM.put(settings.mrSEAM, into: &report)
        TDXField.tdAttributes.put(settings.attributes, into: &report)
        TDXField.xfam.put(settings.xfam, into: &report)
        TDXField.mrTD.put(settings.mrTD, into: &report)
        TDXField.mrConfigID.put(settings.mrConfigID, into: &report)
        TDXField.mrOwner.put(settings.mrOwner, into: &report)
        TDXField.mrOwnerConfig.put(settings.mrOwnerConfig, into: &report)
        TDXField.rtmrs.put(settings.rtmrs.flatMap(\.self), into: &report)
        TDXField.reportData.put(reportData, into: &report)
        // No update since launch, no service TD.
        if settings.version == 5 { TDXField.teeTCB2.put(settings.teeTCB, into: &report) }
        return report
    }
}

extension SimulatedTDX: SimulatedChip {
    var driver: String { TSMDriver.tdxGuest.rawValue }

    var attributes: [TSMAttribute] { [.generation, .inblob, .outblob, .provider] }

    var privlevelFloor: UInt32 { 0 }

    var measurementOffset: Int {
        (settings.version == 4 ? 48 : 54) + TDXField.mrTD.range.lowerBound
    }

    func evidence(over reportData: [UInt8], privlevel: UInt32, flipping: [Int]) throws(SimulatorError) -> TSMBlobs {
        TSMBlobs(outblob: try quote(over: reportData, flipping: flipping), auxblob: [])
    }

    func derivedKey(_ request: DerivedKeyRequest) -> [UInt8]? { nil }
}
