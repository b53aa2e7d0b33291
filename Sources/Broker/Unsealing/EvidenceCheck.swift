// SPDX-License-Identifier: Apache-2.0
package import Attestation
package import BrokerProtocol
internal import FileIO
internal import PinKit
internal import TEE

/// Is the evidence genuine, and was it made for this request?
package struct EvidenceCheck: Sendable {
    /// Why a request gets no results.
    package struct Refusal: Error {
        package let reason: String
        var failures: [FailedPredicate] = []
        var isSimulated = false
    }

    private let snp: SNPVerifier
    private let tdx: TDXVerifier
    /// Where VCEKs come from that are not in the evidence; nil where evidence must have them.
    private(set) var endorsements: EndorsementDesk?
    /// Where collateral and revocation lists come from that the operator did not give.
    private(set) var collateral: CollateralDesk?

    /// Believes AMD and Intel and, where a directory with its anchors is given, the simulator that has their keys.
    /// `collateral`: directories with Intel's word on one kind of platform each; `revocationLists`: files with AMD's on its
    /// intermediate keys (docs/spec/broker.md §3.1, §3.2).
    package init(
        simulatorTrust directory: String?, collateral directories: [String] = [], revocationLists: [String] = []
    ) throws(BrokerError) {
        var amd = TrustAnchors.amd
        var intel = TDXTrustAnchors.intel
        if let directory {
            let ark = try KeyFile.readText("\(directory)/ark.pem")
            let ask = try KeyFile.readText("\(directory)/ask.pem")
            let asvk = try KeyFile.readText("\(directory)/asvk.pem")
            let root = try KeyFile.readText("\(directory)/intel-root.pem")
            try BrokerError.wrapping(directory) { () throws(EvidenceError) in
                amd = try amd.addingSimulated(ark: Array(ark.utf8), ask: Array(ask.utf8), asvk: Array(asvk.utf8))
                intel = try intel.addingSimulated(root: Array(root.utf8))
            }
        }
        snp = SNPVerifier(anchors: amd, revocations: try Self.revocations(revocationLists, amd))
        tdx = try CollateralDirectory.verifier(intel, directories)
    }

    /// With verifiers that somebody else has made.
    package init(snp: SNPVerifier, tdx: TDXVerifier) {
        self.snp = snp
        self.tdx = tdx
    }

    /// The same, and VCEKs that evidence comes without are looked for in `store` and at `service`.
    package func searching(
        _ store: Store, _ service: AMDKeyService, metrics: Metrics,
        clock: @escaping @Sendable () -> Int64 = systemSeconds
    ) -> EvidenceCheck {
        var check = self
        check.endorsements = EndorsementDesk(
            verifier: snp, store: store, service: service, metrics: metrics, clock: clock)
        return check
    }

    /// The same, and what Intel says of platforms, and AMD of its intermediate keys, is kept up to date.
    package func renewing(
        _ store: Store, amd: AMDKeyService?, intel: IntelCollateralService?, metrics: Metrics,
        clock: @escaping @Sendable () -> Int64 = systemSeconds
    ) -> EvidenceCheck {
        var check = self
        check.collateral = CollateralDesk(
            snp: snp, tdx: tdx, store: store, amd: amd, intel: intel, metrics: metrics, clock: clock)
        return check
    }

    /// Whether there is anything to look for before evidence is judged.
    var looksForMore: Bool { endorsements != nil || collateral != nil }

    /// Looks for what it takes to judge `evidence` and is not in it.
    func prepare(_ evidence: EvidenceDocument) async throws(Rejection) {
        try await endorsements?.prepare(evidence)
        try await collateral?.prepare(evidence)
    }

    func close() async {
        await endorsements?.close()
        await collateral?.close()
    }

    private static func revocations(_ paths: [String], _ anchors: TrustAnchors) throws(BrokerError) -> SNPRevocations {
        var lists: [[UInt8]] = []
        for path in paths {
            let list = try BrokerError.wrapping { () throws(FileError) in try FileIO.read(path, limit: maximumListSize) }
            // Each by itself first, so that an error names its file.
            _ = try BrokerError.wrapping(path) { () throws(EvidenceError) in try SNPRevocations([list], anchors: anchors) }
            lists.append(list)
        }
        let all = lists
        return try BrokerError.wrapping("revocation lists") { () throws(EvidenceError) in
            try SNPRevocations(all, anchors: anchors)
        }
    }

    /// Real ones have under 1 KiB.
    private static let maximumListSize = 1 << 20

    /// `broker`: the thumbprint of the key that the request's envelopes must be for.
    func verify(_ request: UnsealRequest, broker: String, at now: Int64) throws(Refusal) -> VerifiedEvidence {
        try verify(request.evidence, for: request.reportData(broker: broker), at: now)
    }

    /// `expected`: the report data of evidence for this request, 64 bytes.
    package func verify(
        _ document: EvidenceDocument, for expected: [UInt8], at now: Int64
    ) throws(Refusal) -> VerifiedEvidence {
        let evidence: VerifiedEvidence
        do throws(EvidenceError) {
            evidence = try verify(document, at: now)
        } catch {
            let reason =
                error == EvidenceError(.unavailable)
                ? "the evidence cannot be judged: \(error)" : "the evidence is not genuine: \(error)"
            throw Refusal(reason: reason)
        }
        guard evidence.reportData == expected else {
            let failure = FailedPredicate(
                predicate: "report data", expected: Hex.encode(expected), actual: Hex.encode(evidence.reportData))
            throw Refusal(
                reason: "the evidence was made for another request, another key or another broker", failures: [failure],
                isSimulated: evidence.isSimulated)
        }
        return evidence
    }

    private func verify(_ evidence: EvidenceDocument, at now: Int64) throws(EvidenceError) -> VerifiedEvidence {
        switch evidence {
        case .snp(let report, let certificates):
            let table = endorsements?.completed(certificates, for: report) ?? certificates
            return .snp(try snp.verify(report: report, certificates: table, at: now))
        case .tdx(let quote, let eventLog):
            // A log that does not lead to the registers is no reason to refuse: what runs later may extend them without a
            // line in it. Who asks for events then finds none.
            if !eventLog.isEmpty, let logged = try? tdx.verify(quote: quote, eventLog: eventLog, at: now) {
                return .tdx(logged)
            }
            return .tdx(try tdx.verify(quote: quote, at: now))
        }
    }
}
