// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// A pretend SEV-SNP chip: it makes reports and signs them with a VCEK, or VLEK, whose certificate hangs on a hierarchy shaped
/// like AMD's, so that a verifier does with them everything it does with real ones. Only the anchor differs.
///
/// For tests and for trying things at home. Nothing that is shipped links this module.
public struct SimulatedSNP: Sendable {
    public let settings: SNPSettings
    /// ARK, ASK (or ASVK) and VCEK (or VLEK) in DER.
    public let arkDER: [UInt8]
    public let askDER: [UInt8]
    public let endorsementDER: [UInt8]
    /// The table that stands in `auxblob`, of these three.
    public let certificates: [UInt8]
    private let key: SimulatedKey
    private let reportID: [UInt8]

    /// Mints the certificate for the settings' chip and reported TCB: one RSA-4096 signature, some 5 ms.
    public init(_ settings: SNPSettings = SNPSettings()) throws(SimulatorError) {
        try settings.check()
        self.settings = settings
        let isChips = settings.signingKey == .vcek
        key = try SimulatedKey(pem: isChips ? SimulatedKeys.vcek : SimulatedKeys.vlek)
        let issuer = try SimulatedCertificate(
            pem: isChips ? SimulatedKeys.askCertificate : SimulatedKeys.asvkCertificate)
        let issuerKey = try SimulatedKey(pem: isChips ? SimulatedKeys.ask : SimulatedKeys.asvk)
        arkDER = try SimulatedCertificate(pem: SimulatedKeys.arkCertificate).der()
        askDER = try issuer.der()
        endorsementDER = try SimulatedCertificate.endorsement(
            for: settings, key: key, issuer: issuer, issuerKey: issuerKey
        ).der()
        let table = [(isChips ? SNPCertificateTable.Kind.vcek : .vlek, endorsementDER), (.ask, askDER), (.ark, arkDER)]
        certificates = SNPCertificateTable(entries: table.map { SNPCertificateTable.Entry(kind: $0, bytes: $1) }).encoded
        // Random on hardware, and new for each launch; only that it differs between guests matters here.
        reportID = Digest.sha256(settings.measurement + settings.hostData + settings.chip)
    }

    /// A signed report of 1184 bytes over `reportData`, which must be 64 bytes. `vmpl`: the level asked for, by default the
    /// settings' own. `flipping`: offsets of bytes whose lowest bit is turned over after signing.
    public func report(
        for reportData: [UInt8], vmpl: UInt32? = nil, flipping offsets: [Int] = []
    ) throws(SimulatorError) -> [UInt8] {
        guard reportData.count == 64 else {
            throw SimulatorError("report data: \(reportData.count) bytes given, 64 expected")
        }
        var report = ReportDraft(settings, vmpl: vmpl ?? settings.vmpl, reportData: reportData, reportID: reportID)
        try report.sign(with: key)
        for offset in offsets {
            guard report.bytes.indices.contains(offset) else { throw SimulatorError("no byte \(offset) in a report") }
            report.flip(at: offset)
        }
        return report.bytes
    }
}

extension SimulatedSNP: SimulatedChip {
    var driver: String { TSMDriver.sevGuest.rawValue }

    var attributes: [TSMAttribute] { TSMAttribute.allCases }

    var privlevelFloor: UInt32 { settings.vmpl }

    var measurementOffset: Int { SNPField.measurement.range.lowerBound }

    func evidence(over reportData: [UInt8], privlevel: UInt32, flipping: [Int]) throws(SimulatorError) -> TSMBlobs {
        TSMBlobs(
            outblob: try report(for: reportData, vmpl: privlevel, flipping: flipping), auxblob: certificates)
    }
}
