// SPDX-License-Identifier: Apache-2.0
public import TEE

/// A report whose origin is proven: only ``SNPVerifier`` makes one. Whether it is the guest somebody wants, a ``SNPPolicy``
/// says.
public struct GenuineSNP: Sendable {
    public let report: SNPReport
    /// From the chain that verified, so that a report of version 2 has one too.
    public let product: SNPProduct
    public let signingKey: SNPSigningKey
    /// SHA-256 of the certificate that vouches for the signing key.
    public let certificateDigest: [UInt8]
    /// Whom the VLEK was given to, as AMD wrote it down (`CN=cc-us-east-2.amazonaws.com`); nil with a VCEK.
    public let provider: String?
    /// Made by a simulator whose anchors were added: proves nothing about hardware.
    public let isSimulated: Bool
    /// Whether a revocation list of the day was there to say that the certificate's issuer is still to be believed.
    public let isRevocationChecked: Bool

    init(report: SNPReport, endorsement: Endorsement, isRevocationChecked: Bool) {
        self.report = report
        self.product = endorsement.chain.product
        self.signingKey = endorsement.chain.signingKey
        self.certificateDigest = endorsement.digest
        self.provider = endorsement.identity.provider
        self.isSimulated = endorsement.chain.isSimulated
        self.isRevocationChecked = isRevocationChecked
    }
}
