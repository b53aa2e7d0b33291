// SPDX-License-Identifier: Apache-2.0
internal import PinKit
public import TEE

/// Whom to believe about what an SNP platform is: for each product the pinned root (ARK) with the two keys below it, one
/// that signs VCEKs (ASK) and one that signs VLEKs (ASVK).
///
/// All are pinned, not only the root: no certificate of a host's table is taken for an authority. A key that AMD adds comes
/// with a new version of this program.
public struct TrustAnchors: Sendable {
    package let chains: [Chain]

    /// AMD's, for Milan, Genoa and Turin.
    public static let amd = TrustAnchors(chains: [
        Chain(.milan, .vcek, root: AMDFigures.arkMilan, issuer: AMDFigures.askMilan),
        Chain(.milan, .vlek, root: AMDFigures.arkMilan, issuer: AMDFigures.asvkMilan),
        Chain(.genoa, .vcek, root: AMDFigures.arkGenoa, issuer: AMDFigures.askGenoa),
        Chain(.genoa, .vlek, root: AMDFigures.arkGenoa, issuer: AMDFigures.asvkGenoa),
        Chain(.turin, .vcek, root: AMDFigures.arkTurin, issuer: AMDFigures.askTurin),
        Chain(.turin, .vlek, root: AMDFigures.arkTurin, issuer: AMDFigures.asvkTurin),
    ])

    /// Whether evidence that nobody but a simulator made would be accepted: say so loudly.
    public var includeSimulated: Bool { chains.contains(where: \.isSimulated) }

    /// These and a simulated platform's, as AMD shapes them: certificates in PEM or DER, RSA-4096, named `ARK-Genoa` and
    /// `SEV-Genoa` (`SEV-VLEK-Genoa` for an ASVK), each signed by the ARK. Evidence below them is marked as simulated.
    public func addingSimulated(
        ark: [UInt8], ask: [UInt8], asvk: [UInt8]? = nil
    ) throws(EvidenceError) -> TrustAnchors {
        let root = try Certificate(pemOrDER: ark)
        var chains = chains
        chains.append(try Chain(simulated: .vcek, root: root, issuer: try Certificate(pemOrDER: ask)))
        if let asvk { chains.append(try Chain(simulated: .vlek, root: root, issuer: try Certificate(pemOrDER: asvk))) }
        return TrustAnchors(chains: chains)
    }

    /// The chains whose issuer has that name: AMD's and a simulator's bear the same names.
    func chains(for signingKey: SNPSigningKey, issuer name: String) -> [Chain] {
        chains.filter { $0.signingKey == signingKey && $0.issuer.name == name }
    }
}

/// A root and the key below it that signs certificates of one kind for one product.
package struct Chain: Sendable {
    package let product: SNPProduct
    package let signingKey: SNPSigningKey
    package let root: Authority
    package let issuer: Authority
    let isSimulated: Bool

    fileprivate init(_ product: SNPProduct, _ signingKey: SNPSigningKey, root: Authority, issuer: Authority) {
        self.product = product
        self.signingKey = signingKey
        self.root = root
        self.issuer = issuer
        self.isSimulated = false
    }

    fileprivate init(simulated signingKey: SNPSigningKey, root: Certificate, issuer: Certificate) throws(EvidenceError) {
        let step = "simulated \(signingKey.name) chain"
        guard let product = SNPProduct.allCases.first(where: { root.subject == "ARK-\($0.certificateName)" }) else {
            throw EvidenceError(.malformed, step: step, detail: "\(root.subject) is not named like an ARK")
        }
        let name = Self.issuerName(product, signingKey)
        guard issuer.subject == name else {
            throw EvidenceError(.malformed, step: step, detail: "\(issuer.subject) is not named \(name)")
        }
        self.product = product
        self.signingKey = signingKey
        self.root = try Authority(root)
        self.issuer = try Authority(issuer)
        self.isSimulated = true
        for certificate in [root, issuer] where try !certificate.isSigned(by: self.root) {
            throw EvidenceError(.refused, step: step, detail: "\(certificate.subject) is not signed by \(root.subject)")
        }
    }

    static func issuerName(_ product: SNPProduct, _ signingKey: SNPSigningKey) -> String {
        signingKey == .vcek ? "SEV-\(product.certificateName)" : "SEV-VLEK-\(product.certificateName)"
    }
}

/// A key that signs certificates: an ARK, ASK or ASVK.
package struct Authority: Sendable, Equatable {
    /// The subject's common name.
    package let name: String
    /// Seconds since 1970, both ends included.
    let validity: ClosedRange<Int64>
    /// SHA-256 of the certificate's DER.
    package let fingerprint: [UInt8]
    /// SubjectPublicKeyInfo, DER.
    let publicKey: [UInt8]

    /// What stands before and after the modulus of an RSA-4096 key with exponent 65537.
    private static let head: [UInt8] = [
        0x30, 0x82, 0x02, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
        0x03,
        0x82, 0x02, 0x0f, 0x00, 0x30, 0x82, 0x02, 0x0a, 0x02, 0x82, 0x02, 0x01, 0x00,
    ]
    private static let tail: [UInt8] = [0x02, 0x03, 0x01, 0x00, 0x01]
    private static let modulusSize = 512

    /// From figures of ours.
    init(name: String, validity: ClosedRange<Int64>, fingerprint: String, modulus: String) {
        guard let digest = Hex.decode(fingerprint), let modulus = Hex.decode(modulus), modulus.count == Self.modulusSize
        else {
            preconditionFailure("the figures of \(name) are mistyped")
        }
        self.name = name
        self.validity = validity
        self.fingerprint = digest
        self.publicKey = Self.head + modulus + Self.tail
    }

    package init(_ certificate: Certificate) throws(EvidenceError) {
        self.name = certificate.subject
        self.validity = certificate.validity
        self.fingerprint = Digest.sha256(certificate.der)
        self.publicKey = certificate.publicKey
        guard publicKey.count == Self.head.count + Self.modulusSize + Self.tail.count, publicKey.starts(with: Self.head),
            publicKey.suffix(Self.tail.count).elementsEqual(Self.tail)
        else { throw EvidenceError(.malformed, step: name, detail: "its key is not RSA-4096 with exponent 65537") }
    }
}
