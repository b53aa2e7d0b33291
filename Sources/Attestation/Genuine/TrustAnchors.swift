// SPDX-License-Identifier: Apache-2.0
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

    /// A line for each key, for people: `SEV-Genoa below ARK-Genoa, until 2047-01-26T15:34:37Z, SHA-256 4c65…`.
    public var descriptions: [String] {
        chains.flatMap { chain in
            let root = chain.signingKey == .vcek ? [chain.root.description] : []
            return root + ["\(chain.issuer.description), below \(chain.root.name)\(chain.isSimulated ? " (SIMULATED)" : "")"]
        }
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
