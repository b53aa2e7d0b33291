// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import Synchronization
public import TEE

/// Says whether an SNP report is genuine: signed by a key that AMD vouches for, of the chip and the TCB that it states.
///
/// Remembers certificates whose chain held, so that a second report of the same key costs one P-384 signature. Dates are
/// checked each time. Thread-safe; keep one per set of anchors.
public final class SNPVerifier: Sendable {
    private let anchors: TrustAnchors
    private let revocations: Mutex<SNPRevocations>
    private let known = Mutex<[[UInt8]: Endorsement]>([:])

    /// Some 4 KiB each. All are forgotten when there are more: a fleet that large pays for one more RSA verification.
    static let maximumKnown = 4096

    /// Without a revocation list for a platform, what it says is genuine all the same, and ``GenuineSNP`` tells.
    public init(anchors: TrustAnchors, revocations: SNPRevocations = .none) {
        self.anchors = anchors
        self.revocations = Mutex(revocations)
    }

    /// `report`: 1184 bytes; `certificates`: the host's table, of which only the VCEK or VLEK is looked at; `seconds`: since
    /// 1970, the time to judge the certificates by.
    ///
    /// Throws `.malformed`, `.refused`, or `.unavailable` where the table does not have the certificate or the revocation
    /// list is not of that day. Says nothing about
    /// the guest: report data, measurement and policy are whose report it is, not whether it is one.
    public func verify(
        report bytes: [UInt8], certificates: [UInt8], at seconds: Int64
    ) throws(EvidenceError) -> GenuineSNP {
        let report = try SNPReport(parsing: bytes)
        let signingKey = try Self.signingKey(of: report)
        let table = try SNPCertificateTable(parsing: certificates)
        guard let certificate = table[signingKey == .vcek ? .vcek : .vlek] else {
            throw EvidenceError(
                .unavailable, step: "certificate table", detail: "the host gave no \(signingKey.name) certificate")
        }
        let endorsement = try endorsement(by: certificate, of: signingKey)
        try endorsement.check(at: seconds)
        let isRevocationChecked = try revocations.withLock { $0 }.check(endorsement.chain, at: seconds)
        try endorsement.check(report)
        try Self.checkOrder(of: report)
        return GenuineSNP(report: report, endorsement: endorsement, isRevocationChecked: isRevocationChecked)
    }

    /// Judges by `list` from now on, in DER, AMD's newest of `product`. Throws where it is not, and leaves things as they are.
    public func take(
        revocationList list: [UInt8], of product: SNPProduct, at seconds: Int64
    ) throws(EvidenceError) {
        let new = try revocations.withLock { $0 }.fetching(list, of: product, anchors: anchors, at: seconds)
        revocations.withLock { $0 = new }
    }

    /// Throws unless `vcek`, in DER, is a certificate that AMD made for the chip and the TCB which `report` states, and is in
    /// date at `seconds` since 1970: what a cache may keep. Says nothing about who made the report.
    public func check(vcek: [UInt8], for report: SNPReport, at seconds: Int64) throws(EvidenceError) {
        let endorsement = try endorsement(by: vcek, of: .vcek)
        try endorsement.check(at: seconds)
        try endorsement.checkSubject(of: report)
    }

    private static func signingKey(of report: SNPReport) throws(EvidenceError) -> SNPSigningKey {
        guard report.signatureAlgorithm == 1 else {
            throw EvidenceError(
                .refused, step: "report signature",
                detail: "algorithm \(report.signatureAlgorithm), not 1 (P-384 with SHA-384)")
        }
        guard let signingKey = report.signingKey else {
            throw EvidenceError(.refused, step: "report signature", detail: "by no key or by one not known here")
        }
        guard !report.masksChipKey else {
            throw EvidenceError(
                .refused, step: "chip", detail: "the platform masks its chip key, so that nothing ties the report to a chip")
        }
        return signingKey
    }

    /// A platform reports at most what it cannot go back behind, and that is at most what runs. They need not be equal.
    private static func checkOrder(of report: SNPReport) throws(EvidenceError) {
        guard report.currentTCB.isAtLeast(report.committedTCB), report.committedTCB.isAtLeast(report.reportedTCB) else {
            throw EvidenceError(
                .refused, step: "TCB",
                detail: "reported \(report.reportedTCB.hex), committed \(report.committedTCB.hex) and current "
                    + "\(report.currentTCB.hex) are not in ascending order")
        }
    }

    private func endorsement(
        by certificate: [UInt8], of signingKey: SNPSigningKey
    ) throws(EvidenceError) -> Endorsement {
        // The kind is part of the key: a VCEK handed out as a VLEK is another question.
        let name = [signingKey.rawValue] + Digest.sha256(certificate)
        if let endorsement = known.withLock({ $0[name] }) { return endorsement }
        let endorsement = try Endorsement(certificate, of: signingKey, anchors: anchors)
        known.withLock { known in
            if known.count >= Self.maximumKnown { known.removeAll() }
            known[name] = endorsement
        }
        return endorsement
    }
}
