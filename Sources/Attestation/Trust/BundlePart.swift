// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// What a file is, and who signed it.
extension TrustBundle.Part {
    init(_ file: [UInt8], _ anchors: TrustAnchors) throws(EvidenceError) {
        if let list = try? CertificateRevocationList(der: file) {
            try self.init(list, file, anchors)
            return
        }
        let certificate: Certificate
        do throws(EvidenceError) {
            certificate = try Certificate(pemOrDER: file)
        } catch {
            throw TrustBundle.malformed("neither a revocation list nor a certificate (\(error.detail))")
        }
        switch certificate.subject {
        case "SEV-VCEK": self.init(try Endorsement(certificate.der, of: .vcek, anchors: anchors))
        case "SEV-VLEK": self.init(try Endorsement(certificate.der, of: .vlek, anchors: anchors))
        default: throw TrustBundle.malformed("a certificate of \(certificate.subject), which no bundle has")
        }
    }

    private init(
        _ list: CertificateRevocationList, _ der: [UInt8], _ anchors: TrustAnchors
    ) throws(EvidenceError) {
        let root = try SNPRevocations.root(of: list, anchors)
        name = "amd/\(root.name)-\(Self.digest(of: der)).crl"
        title = "revocation list of \(root.name)"
        validities = [list.validity]
        files = [(name, der)]
        isSimulated = anchors.chains.contains { $0.root.fingerprint == root.fingerprint && $0.isSimulated }
        content = .revocationList(der)
    }

    private init(_ endorsement: Endorsement) {
        let (chain, identity) = (endorsement.chain, endorsement.identity)
        let owner =
            identity.hardwareID.map { "chip \(Hex.encode(Array($0.prefix(8))))" } ?? identity.provider ?? "a provider"
        name = "amd/\(chain.signingKey.name)-\(Self.digest(of: endorsement.certificate.der)).der"
        title =
            "\(chain.product.certificateName) \(chain.signingKey.name) of \(owner) at "
            + identity.tcb.description(in: chain.product.tcbLayout)
        validities = [endorsement.certificate.validity]
        files = [(name, endorsement.certificate.der)]
        isSimulated = chain.isSimulated
        content = .endorsement(endorsement)
    }

    init(_ collateral: TDXCollateral, _ anchors: TDXTrustAnchors) throws(EvidenceError) {
        let verified = try VerifiedCollateral(collateral, anchors: anchors)
        let parts = TDXCollateral.Part.allCases.compactMap { part in collateral[part].map { (part.rawValue, $0) } }
        let fmspc = Hex.encode(verified.tcbInfo.fmspc)
        let name = "intel/\(fmspc)-\(Self.digest(of: parts.flatMap(\.1)))"
        self.name = name
        title =
            "collateral of FMSPC \(fmspc) below the \(verified.pckAuthority.name), evaluation \(verified.tcbInfo.evaluation)"
        validities = verified.validities.map(\.range)
        files = parts.map { ("\(name)/\($0.0)", $0.1) }
        isSimulated = verified.root.isSimulated
        content = .collateral(collateral)
    }

    private static func digest(of bytes: [UInt8]) -> String { Hex.encode(Array(Digest.sha256(bytes).prefix(8))) }
}
