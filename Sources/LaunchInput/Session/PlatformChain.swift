// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A platform's key for launch sessions, vouched for by AMD: PDH by PEK, PEK by its owner (OCA) and by the chip (CEK), CEK by
/// AMD's ASK, ASK by its ARK.
public struct PlatformChain: Sendable {
    let pdh: P384PublicKey

    public static let maximumLength = 4 * SEVCertificate.length + 8192

    /// - Parameters:
    ///   - certificates: PDH, PEK, OCA and CEK, one after another. What stands behind them (an ASK and an ARK, as some tools
    /// write) is
    ///     not looked at.
    ///   - authority: ASK and ARK, as AMD publishes them for the processor's generation: what the caller trusts.
    ///
    /// `.malformed`, or `.refused` for a signature that does not hold.
    public init(_ certificates: [UInt8], authority: [UInt8]) throws(PinError) {
        let size = SEVCertificate.length
        guard certificates.count >= 4 * size else {
            throw PinError(
                .malformed, step: "read the platform's certificates",
                detail: "\(certificates.count) bytes, which are less than those of PDH, PEK, OCA and CEK, \(4 * size)")
        }
        let pdh = try SEVCertificate(certificates[..<size], as: .pdh, named: "PDH")
        let pek = try SEVCertificate(certificates[size..<2 * size], as: .pek, named: "PEK")
        let oca = try SEVCertificate(certificates[2 * size..<3 * size], as: .oca, named: "OCA")
        let cek = try SEVCertificate(certificates[3 * size..<4 * size], as: .cek, named: "CEK")
        let ask = try AMDSigningKey(authority[...], as: .ask)
        let ark = try AMDSigningKey(authority.dropFirst(ask.length), as: .ark)
        let links = [
            ("AMD's ASK", "ARK", ask.isSigned(by: ark)), ("the CEK", "AMD's ASK", cek.isSigned(by: ask)),
            ("the OCA", "itself", oca.isSigned(by: oca, as: .oca)), ("the PEK", "the CEK", pek.isSigned(by: cek, as: .cek)),
            ("the PEK", "the OCA", pek.isSigned(by: oca, as: .oca)), ("the PDH", "the PEK", pdh.isSigned(by: pek, as: .pek)),
        ]
        for (subject, issuer, holds) in links where !holds {
            throw PinError(.refused, step: "platform's certificates", detail: "\(subject) is not signed by \(issuer)")
        }
        self.pdh = pdh.key
    }
}
