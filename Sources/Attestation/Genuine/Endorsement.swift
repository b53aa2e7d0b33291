// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// A VCEK or VLEK certificate whose chain holds. Not yet judged: dates, and the report.
struct Endorsement: Sendable {
    let certificate: Certificate
    let digest: [UInt8]
    let identity: EndorsedIdentity
    let chain: Chain

    /// Follows the chain of the certificate `der`, which is said to be of the kind `signingKey`.
    init(_ der: [UInt8], of signingKey: SNPSigningKey, anchors: TrustAnchors) throws(EvidenceError) {
        let certificate = try Certificate(der: der)
        let chain = try Self.chain(of: certificate, signingKey, anchors)
        let identity = try EndorsedIdentity(certificate, layout: chain.product.tcbLayout)
        let step = "\(signingKey.name) certificate"
        guard certificate.hasP384Key else { throw EvidenceError(.refused, step: step, detail: "its key is not on P-384") }
        guard Self.isStepping(identity.productName, of: chain.product) else {
            throw EvidenceError(
                .refused, step: step,
                detail: "it is for \(identity.productName), signed as one for \(chain.product.rawValue)")
        }
        self.certificate = certificate
        self.digest = Digest.sha256(der)
        self.identity = identity
        self.chain = chain
    }

    private static func chain(
        of certificate: Certificate, _ signingKey: SNPSigningKey, _ anchors: TrustAnchors
    ) throws(EvidenceError) -> Chain {
        let step = "\(signingKey.name) certificate"
        guard certificate.subject == "SEV-\(signingKey.name)" else {
            throw EvidenceError(.refused, step: step, detail: "its subject is \(certificate.subject)")
        }
        let candidates = anchors.chains(for: signingKey, issuer: certificate.issuer)
        guard !candidates.isEmpty else {
            throw EvidenceError(.refused, step: step, detail: "no trusted key for it is named \(certificate.issuer)")
        }
        for chain in candidates where try certificate.isSigned(by: chain.issuer) { return chain }
        throw EvidenceError(.refused, step: step, detail: "not signed by the \(certificate.issuer) that is trusted here")
    }

    /// `Milan-B0` is a Milan.
    private static func isStepping(_ name: String, of product: SNPProduct) -> Bool {
        name == product.certificateName || name.hasPrefix("\(product.certificateName)-")
    }
}

extension Endorsement {
    /// Every certificate of the chain at `seconds` since 1970. What depends on the day is checked here, each time; what
    /// does not is kept (``SNPVerifier``).
    func check(at seconds: Int64) throws(EvidenceError) {
        let chain = [
            (certificate.subject, certificate.validity), (chain.issuer.name, chain.issuer.validity),
            (chain.root.name, chain.root.validity),
        ]
        for (name, validity) in chain where !validity.contains(seconds) {
            let problem = seconds < validity.lowerBound ? "is not valid yet" : "has expired"
            throw EvidenceError(
                .refused, step: "certificate dates",
                detail: "\(name) \(problem): valid from \(Timestamp.text(validity.lowerBound)) to "
                    + "\(Timestamp.text(validity.upperBound)), now \(Timestamp.text(seconds))")
        }
    }

    /// That this certificate is the one of the key, the chip and the TCB of `report`, and that its key signed.
    func check(_ report: SNPReport) throws(EvidenceError) {
        try checkSubject(of: report)
        guard certificate.verifies(report.signature, over: report.signedBytes) else {
            throw refused("report signature", "not by the key of the \(chain.signingKey.name) certificate")
        }
    }

    /// That this certificate is that of the chip and the TCB which `report` states, whoever made the report.
    func checkSubject(of report: SNPReport) throws(EvidenceError) {
        if let product = report.product, product != chain.product {
            throw refused(
                "product", "the report is of a \(product.rawValue), the certificate of a \(chain.product.rawValue)")
        }
        // Version 2 ends before Turin: its TCB would be read in the wrong layout.
        guard report.tcbLayout == chain.product.tcbLayout else {
            throw refused("product", "version \(report.version) of the report is not one of a \(chain.product.rawValue)")
        }
        guard identity.tcb == report.reportedTCB else {
            let layout = report.tcbLayout
            throw refused(
                "TCB",
                "the certificate is for \(identity.tcb.description(in: layout)), the report states "
                    + report.reportedTCB.description(in: layout))
        }
        try checkChip(of: report)
    }

    private func checkChip(of report: SNPReport) throws(EvidenceError) {
        guard chain.signingKey == .vcek else { return }
        let count = chain.product.chipIDCount
        guard let hardwareID = identity.hardwareID, hardwareID.count == count else {
            throw refused("chip", "the VCEK certificate names no chip as a \(chain.product.rawValue) has")
        }
        guard report.chipID.starts(with: hardwareID), report.chipID.dropFirst(count).allSatisfy({ $0 == 0 }) else {
            throw refused("chip", "the VCEK certificate is another chip's")
        }
    }

    private func refused(_ step: String, _ detail: String) -> EvidenceError {
        EvidenceError(.refused, step: step, detail: detail)
    }
}
