// SPDX-License-Identifier: Apache-2.0
internal import PinKit
public import TEE

/// Judges evidence files without a network: is it genuine, was it made for this request, is it what the policy wants?
public struct EvidenceReviewer: Sendable {
    public let snp: TrustAnchors
    public let tdx: TDXTrustAnchors
    /// Certificates and AMD's revocation lists, by file name, in DER or PEM: what the evidence itself does not carry. What is
    /// of another kind is not looked at.
    public let certificates: [(name: String, bytes: [UInt8])]
    public let collateral: [TDXCollateral]

    public init(
        snp: TrustAnchors = .amd, tdx: TDXTrustAnchors = .intel, certificates: [(name: String, bytes: [UInt8])] = [],
        collateral: [TDXCollateral] = []
    ) {
        self.snp = snp
        self.tdx = tdx
        self.certificates = certificates
        self.collateral = collateral
    }

    /// What the evidence is to be for.
    public enum Request: Sendable, Equatable {
        /// Whatever the file itself says.
        case asStated
        /// The guest was given this nonce.
        case nonce([UInt8])
        /// All 64 bytes.
        case reportData([UInt8])
    }

    /// The policy to judge by, with the set that it refers to where it does.
    public struct Wanted: Sendable {
        public let policy: GuestPolicy
        public let references: ReferenceSet?

        public init(_ policy: GuestPolicy, references: ReferenceSet? = nil) {
            self.policy = policy
            self.references = references
        }
    }

    /// `seconds`: since 1970, the moment to judge certificates, collateral and reference values for.
    public func review(
        _ file: EvidenceFile, for request: Request = .asStated, by wanted: Wanted? = nil, at seconds: Int64
    ) -> EvidenceReview {
        var review = EvidenceReview(format: file.format, moment: seconds)
        let reportData: [UInt8]?
        switch file.evidence {
        case .snp:
            let genuine = review.attempt("genuine") { () throws(EvidenceError) in try genuineSNP(file, at: seconds) }
            if let genuine { review.add(genuine) }
            reportData = genuine?.report.reportData
            review.judge(genuine, by: wanted)
        case .tdx:
            let genuine = review.attempt("genuine") { () throws(EvidenceError) in try genuineTDX(file, at: seconds) }
            if let genuine { review.add(genuine) }
            reportData = genuine?.report.reportData
            review.judge(genuine, by: wanted)
        }
        if let vtpm = file.vtpm, review.attempt("vtpm", vtpm.verify) != nil {
            review.add("vtpm", .accepted, "the report is over the virtual TPM's key, which signed the quote")
        }
        if let reportData { Freshness(file, reportData).judge(request, in: &review) }
        if let warning = wanted?.references?.warning(at: seconds) { review.warnings.append(warning) }
        return review
    }
}

// MARK: - Is it genuine?

extension EvidenceReviewer {
    /// Throws `.malformed` for a file of another TEE.
    public func genuineSNP(_ file: EvidenceFile, at seconds: Int64) throws(EvidenceError) -> GenuineSNP {
        guard case .snp(let report, let table) = file.evidence else {
            throw EvidenceError(.malformed, step: "evidence", detail: "not of SEV-SNP")
        }
        let verifier = SNPVerifier(anchors: snp, revocations: try revocations())
        // What the file carries comes first: a certificate beside it may be another machine's.
        var failure: EvidenceError?
        for candidate in [table] + candidates(for: try SNPReport(parsing: report)) where !candidate.entries.isEmpty {
            do throws(EvidenceError) {
                return try verifier.verify(report: report, certificates: candidate.encoded, at: seconds)
            } catch {
                if failure == nil || failure?.code == .unavailable { failure = error }
            }
        }
        guard let failure else { return try verifier.verify(report: report, certificates: [], at: seconds) }
        throw failure
    }

    /// Tables with one certificate each that may be the report's key.
    private func candidates(for report: SNPReport) -> [SNPCertificateTable] {
        guard let key = report.signingKey else { return [] }
        return certificates.compactMap { file in
            guard let certificate = try? Certificate(pemOrDER: file.bytes), certificate.subject == "SEV-\(key.name)" else {
                return nil
            }
            return SNPCertificateTable(entries: [.init(kind: key == .vcek ? .vcek : .vlek, bytes: certificate.der)])
        }
    }

    /// The lists of a product whose ARK is believed.
    private func revocations() throws(EvidenceError) -> SNPRevocations {
        let lists = certificates.map(\.bytes).filter { (try? CertificateRevocationList(der: $0)) != nil }
        return try SNPRevocations(lists, anchors: snp)
    }

    /// Throws `.malformed` for a file of another TEE.
    public func genuineTDX(_ file: EvidenceFile, at seconds: Int64) throws(EvidenceError) -> GenuineTDX {
        guard case .tdx(let quote, let eventLog) = file.evidence else {
            throw EvidenceError(.malformed, step: "evidence", detail: "not of TDX")
        }
        return try TDXVerifier(anchors: tdx, collateral: collateral).verify(
            quote: quote, eventLog: eventLog.isEmpty ? nil : eventLog, at: seconds)
    }
}

extension EvidenceReview {
    fileprivate mutating func add(_ genuine: GenuineSNP) {
        let key = genuine.signingKey.name + (genuine.provider.map { " of \($0)" } ?? "")
        add(
            "genuine", .accepted,
            "SEV-SNP report of a \(genuine.product.rawValue), signed by its \(key), at \(genuine.report.reportedTCB.description(in: genuine.product.tcbLayout))"
        )
        if genuine.isSimulated { warnings.append("made by a SIMULATOR: proves nothing about hardware") }
        if !genuine.isRevocationChecked {
            warnings.append("no revocation list of AMD's was given: whether its key was revoked is not known")
        }
    }

    fileprivate mutating func add(_ genuine: GenuineTDX) {
        let advisories = genuine.advisories.isEmpty ? "" : "; \(genuine.advisories.joined(separator: ", "))"
        add(
            "genuine", .accepted,
            "TDX quote of a platform with FMSPC \(Hex.encode(genuine.fmspc)), \(genuine.tcbStatus.rawValue)\(advisories)")
        if genuine.isSimulated { warnings.append("made by a SIMULATOR: proves nothing about hardware") }
    }

    fileprivate mutating func judge(_ genuine: GenuineSNP?, by wanted: EvidenceReviewer.Wanted?) {
        guard let genuine else { return }
        switch wanted?.policy {
        case nil: conclude(SNPPolicy(covers: .everything).judge(genuine), isDefault: true)
        case .snp(let policy): conclude(policy.judge(genuine, with: wanted?.references, at: moment))
        case .tdx: add("policy", .refused, "the policy is for TDX, the evidence of SEV-SNP")
        }
    }

    fileprivate mutating func judge(_ genuine: GenuineTDX?, by wanted: EvidenceReviewer.Wanted?) {
        guard let genuine else { return }
        switch wanted?.policy {
        case nil: conclude(TDXPolicy(covers: .everything).judge(genuine), isDefault: true)
        case .snp: add("policy", .refused, "the policy is for SEV-SNP, the evidence of TDX")
        case .tdx(let policy): conclude(policy.judge(genuine, with: wanted?.references, at: moment))
        }
    }

    /// Without a policy, what every policy demands that does not say otherwise: a guest that can be debugged is nobody's wish.
    private mutating func conclude(_ verdict: Verdict, isDefault: Bool = false) {
        predicates = verdict.predicates
        let (all, failed) = (predicates.count, verdict.failed.count)
        let result = verdict.accepted ? "all \(all) demands are met" : "\(failed) of \(all) demands are not met"
        let name = isDefault ? "no policy was given; of the defaults of every policy " : ""
        add("policy", verdict.accepted ? .accepted : .refused, name + result)
    }
}
