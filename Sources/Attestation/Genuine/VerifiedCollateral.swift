// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// A set of collateral whose signatures hold, all below one root. Not yet judged: dates, and whom its lists revoke beside
/// its own signers.
struct VerifiedCollateral: Sendable {
    let root: TDXTrustAnchors.Root
    let tcbInfo: TCBInfo
    let qeIdentity: QEIdentity
    /// Who signs PCK certificates and ``pckList``.
    let pckAuthority: Authority
    let pckList: CertificateRevocationList
    let rootList: CertificateRevocationList
    /// Everything in it that has dates.
    let validities: [GenuineTDX.Validity]

    /// Throws `.unavailable` where a part is missing, `.refused` where one is not what Intel (or the simulator whose root
    /// was added) signed, and `.malformed`.
    init(_ collateral: TDXCollateral, anchors: TDXTrustAnchors) throws(EvidenceError) {
        for part in TDXCollateral.Part.allCases { _ = try collateral.required(part) }
        let rootList = try CertificateRevocationList(der: collateral.required(.rootRevocationList))
        let signers = try Self.signers(of: collateral, anchors: anchors, rootList: rootList)
        self.root = signers[0].root
        self.rootList = rootList
        let tcbInfo = try SignedJSON(collateral.required(.tcbInfo), member: "tcbInfo", step: "TCB info")
        try signers[0].check(tcbInfo)
        self.tcbInfo = try TCBInfo(tcbInfo)
        let qeIdentity = try SignedJSON(collateral.required(.qeIdentity), member: "enclaveIdentity", step: "QE identity")
        try signers[1].check(qeIdentity)
        self.qeIdentity = try QEIdentity(qeIdentity)
        self.pckAuthority = try Authority(signers[2].certificate, .ecdsaP256WithSHA256)
        self.pckList = try CertificateRevocationList(der: collateral.required(.pckRevocationList))
        guard try pckList.isSigned(by: pckAuthority) else {
            throw EvidenceError(.refused, step: "PCK CRL", detail: "not signed by the \(pckAuthority.name) of its chain")
        }
        self.validities =
            [
                .collateral("TCB info", self.tcbInfo.validity), .collateral("QE identity", self.qeIdentity.validity),
                .collateral("PCK CRL", pckList.validity), .collateral("root CRL", rootList.validity),
            ] + signers.map { .certificate("\($0.certificate.subject) of the \($0.step)", $0.certificate.validity) }
    }

    /// Who signed TCB info, QE identity and PCK CRL, in this order.
    private static func signers(
        of collateral: TDXCollateral, anchors: TDXTrustAnchors, rootList: CertificateRevocationList
    ) throws(EvidenceError) -> [CollateralSigner] {
        let signing = [IntelFigures.tcbSigningName]
        let signers = [
            try CollateralSigner(collateral.required(.tcbInfoIssuerChain), of: "TCB info", named: signing, anchors),
            try CollateralSigner(collateral.required(.qeIdentityIssuerChain), of: "QE identity", named: signing, anchors),
            try CollateralSigner(
                collateral.required(.pckRevocationListIssuerChain), of: "PCK CRL", named: IntelFigures.pckAuthorityNames,
                anchors),
        ]
        let root = signers[0].root
        guard signers.allSatisfy({ $0.root == root }) else {
            throw EvidenceError(.refused, step: "collateral", detail: "its parts are signed below different roots")
        }
        guard try rootList.isSigned(by: root.authority) else {
            throw EvidenceError(.refused, step: "root CRL", detail: "not signed by the root of the other parts")
        }
        for signer in signers where rootList.revokes(signer.certificate) {
            throw EvidenceError(.refused, step: signer.step, detail: "\(signer.certificate.subject) is revoked")
        }
        return signers
    }
}

/// The certificate of whoever signs a part of the collateral, itself signed by a root that is trusted here.
private struct CollateralSigner {
    let step: String
    let certificate: Certificate
    let root: TDXTrustAnchors.Root

    init(_ chain: [UInt8], of part: String, named names: [String], _ anchors: TDXTrustAnchors) throws(EvidenceError) {
        self.step = part
        let chain = try PEMChain.certificates(in: chain, count: 2, step: "issuer chain of the \(part)")
        self.certificate = try Certificate(der: chain[0])
        self.root = try anchors.root(of: certificate, der: chain[1], step: part)
        guard names.contains(certificate.subject) else {
            throw EvidenceError(.refused, step: part, detail: "it is signed by \(certificate.subject)")
        }
    }

    func check(_ document: SignedJSON) throws(EvidenceError) {
        guard certificate.verifiesES256(document.signature, over: document.body) else {
            throw EvidenceError(.refused, step: step, detail: "not signed by the \(certificate.subject) of its chain")
        }
    }
}
