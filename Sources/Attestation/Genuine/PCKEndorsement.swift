// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// A PCK certificate whose chain holds. Not yet judged: dates, revocation, and what the key signed.
struct PCKEndorsement: Sendable {
    let certificate: Certificate
    /// SHA-256 of the certificate.
    let digest: [UInt8]
    let identity: PCKIdentity
    let authority: Authority
    /// The certificate of ``authority`` that the quote brought.
    let authorityCertificate: Certificate
    let root: TDXTrustAnchors.Root

    /// Follows the chain that a quote carries: the PCK's certificate, its CA's, the root's.
    init(_ pem: [UInt8], anchors: TDXTrustAnchors) throws(EvidenceError) {
        let step = "PCK certificate"
        let chain = try PEMChain.certificates(in: pem, count: 3, step: "PCK chain")
        self.certificate = try Certificate(der: chain[0])
        self.digest = Digest.sha256(chain[0])
        self.authorityCertificate = try Certificate(der: chain[1])
        self.root = try anchors.root(of: authorityCertificate, der: chain[2], step: "PCK CA")
        guard IntelFigures.pckAuthorityNames.contains(authorityCertificate.subject), authorityCertificate.isAuthority else {
            throw EvidenceError(.refused, step: "PCK CA", detail: "\(authorityCertificate.subject) does not sign PCKs")
        }
        self.authority = try Authority(authorityCertificate, .ecdsaP256WithSHA256)
        guard certificate.subject == IntelFigures.pckName else {
            throw EvidenceError(.refused, step: step, detail: "its subject is \(certificate.subject)")
        }
        guard certificate.issuer == authority.name, try certificate.isSigned(by: authority) else {
            throw EvidenceError(.refused, step: step, detail: "not signed by the \(authority.name) of its chain")
        }
        guard certificate.hasP256Key else { throw EvidenceError(.refused, step: step, detail: "its key is not on P-256") }
        self.identity = try PCKIdentity(certificate)
    }

    var validities: [GenuineTDX.Validity] {
        [
            .certificate(certificate.subject, certificate.validity), .certificate(authority.name, authority.validity),
            .certificate(root.authority.name, root.authority.validity),
        ]
    }

    /// That neither the certificate nor its CA's is revoked by those lists.
    func check(_ collateral: VerifiedCollateral) throws(EvidenceError) {
        if collateral.pckList.revokes(certificate) {
            throw EvidenceError(.refused, step: "PCK certificate", detail: "it is revoked")
        }
        if collateral.rootList.revokes(authorityCertificate) {
            throw EvidenceError(.refused, step: "PCK CA", detail: "\(authority.name) is revoked")
        }
    }
}

extension TDXTrustAnchors {
    /// The trusted root whose certificate is `der`, which must have signed `certificate`.
    func root(of certificate: Certificate, der: [UInt8], step: String) throws(EvidenceError) -> Root {
        guard let root = root(der: der) else {
            throw EvidenceError(.refused, step: step, detail: "its chain does not end at a root that is trusted here")
        }
        guard certificate.issuer == root.authority.name, try certificate.isSigned(by: root.authority) else {
            throw EvidenceError(
                .refused, step: step, detail: "\(certificate.subject) is not signed by the \(root.authority.name)")
        }
        return root
    }
}
