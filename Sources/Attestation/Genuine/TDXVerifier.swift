// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import Synchronization
public import TEE

/// Says whether a TDX quote is genuine: made by Intel's quoting enclave on a platform that Intel knows, about the guest that
/// it states.
///
/// Verifies its collateral once, and remembers attestation keys that are vouched for, so that a second quote with the same key
/// costs one P-256 signature. Dates are checked each time. Thread-safe.
public final class TDXVerifier: Sendable {
    private let anchors: TDXTrustAnchors
    /// The best first: the highest evaluation number, then the newest.
    private let collateral: [VerifiedCollateral]
    /// What came later.
    private let fetched = Mutex<[TDXPlatform: VerifiedCollateral]>([:])
    private let known = Mutex<[[UInt8]: AttestationKey]>([:])

    /// Some 10 KiB each. All are forgotten when there are more.
    static let maximumKnown = 4096

    /// `collateral`: any number of sets, also several for the same platforms, of which the best that is valid is taken.
    ///
    /// Throws `.unavailable` where a set is incomplete, `.malformed` or `.refused` where a part of one is not what Intel
    /// signed.
    public init(anchors: TDXTrustAnchors, collateral: [TDXCollateral]) throws(EvidenceError) {
        self.anchors = anchors
        var verified: [VerifiedCollateral] = []
        for set in collateral { verified.append(try VerifiedCollateral(set, anchors: anchors)) }
        self.collateral = verified.sorted { $0.rank > $1.rank }
    }

    /// `quote`: as the kernel gives it, padding and all; `eventLog`: the contents of the CCEL area, which must give the
    /// quote's RTMRs; `seconds`: since 1970, the time to judge certificates and collateral by.
    ///
    /// Throws `.malformed`, `.refused`, or `.unavailable` where there is no collateral for this platform and this time: then
    /// it cannot be told. Says nothing about the guest: report data, measurements, debugging and policy are whose quote it
    /// is, not whether it is one.
    public func verify(
        quote bytes: [UInt8], eventLog: [UInt8]? = nil, at seconds: Int64
    ) throws(EvidenceError) -> GenuineTDX {
        let genuine = try verifyIgnoringDates(quote: bytes, eventLog: eventLog, at: seconds)
        try genuine.check(at: seconds)
        return genuine
    }

    /// The kind of platform that made `quote`, whose chain holds. Does not say that the quote is genuine.
    public func platform(of quote: [UInt8]) throws(EvidenceError) -> TDXPlatform {
        let endorsement = try attestationKey(of: TDXQuote(parsing: quote)).endorsement
        return TDXPlatform(
            fmspc: endorsement.identity.fmspc,
            isProcessorCA: endorsement.authority.name == IntelFigures.processorAuthorityName,
            isSimulated: endorsement.root.isSimulated)
    }

    /// Whether there is collateral to judge that quote by on the day `seconds`.
    public func canJudge(_ quote: [UInt8], at seconds: Int64) -> Bool {
        guard let quote = try? TDXQuote(parsing: quote), let key = try? attestationKey(of: quote),
            let best = try? collateral(for: key.endorsement, at: seconds)
        else {
            return false
        }
        return best.validities.allSatisfy { $0.range.contains(seconds) }
    }

    /// Judges quotes of `platform` by `set` too from now on, in place of what was taken before. Throws where it is not whole, not of
    /// that platform, not what Intel signed, or not of the day `seconds`, and leaves things as they are.
    public func take(_ set: TDXCollateral, for platform: TDXPlatform, at seconds: Int64) throws(EvidenceError) {
        let verified = try VerifiedCollateral(set, anchors: anchors)
        let isProcessorCA = verified.pckAuthority.name == IntelFigures.processorAuthorityName
        guard verified.tcbInfo.fmspc == platform.fmspc, isProcessorCA == platform.isProcessorCA,
            verified.root.isSimulated == platform.isSimulated
        else {
            throw EvidenceError(.refused, step: "collateral", detail: "it is of another kind of platform")
        }
        guard verified.validities.allSatisfy({ $0.range.contains(seconds) }) else {
            throw EvidenceError(.unavailable, step: "collateral", detail: "it is not of this day")
        }
        fetched.withLock { $0[platform] = verified }
    }

    /// All but the dates, for tests that have evidence whose dates never fit together. `seconds` chooses the collateral.
    package func verifyIgnoringDates(
        quote bytes: [UInt8], eventLog: [UInt8]? = nil, at seconds: Int64
    ) throws(EvidenceError) -> GenuineTDX {
        let quote = try TDXQuote(parsing: bytes)
        let key = try attestationKey(of: quote)
        try key.check(quote)
        let log = try eventLog.map { (bytes) throws(EvidenceError) in try Self.log(bytes, of: quote.report) }
        let collateral = try collateral(for: key.endorsement, at: seconds)
        try key.endorsement.check(collateral)
        return try GenuineTDX(quote, key.endorsement, collateral, eventLog: log)
    }

    private static func log(_ bytes: [UInt8], of report: TDReport) throws(EvidenceError) -> EventLog {
        let log = try EventLog(parsing: bytes)
        for (index, (replayed, register)) in zip(log.replay, report.rtmrs).enumerated() where replayed != register {
            throw EvidenceError(
                .refused, step: "event log",
                detail: "its events give RTMR\(index) \(Hex.encode(replayed)), the quote has \(Hex.encode(register))")
        }
        return log
    }

    private func attestationKey(of quote: TDXQuote) throws(EvidenceError) -> AttestationKey {
        let name = Digest.sha256(quote.certification)
        if let key = known.withLock({ $0[name] }) { return key }
        let key = try AttestationKey(quote.signature, anchors: anchors)
        known.withLock { known in
            if known.count >= Self.maximumKnown { known.removeAll() }
            known[name] = key
        }
        return key
    }

    /// The best set for that platform; one that is valid then, if there is one.
    private func collateral(
        for endorsement: PCKEndorsement, at seconds: Int64
    ) throws(EvidenceError) -> VerifiedCollateral {
        let missing = { (what: String) in EvidenceError(.unavailable, step: "collateral", detail: what) }
        let identity = endorsement.identity
        let all = (collateral + fetched.withLock { Array($0.values) }).sorted { $0.rank > $1.rank }
        let known = all.filter {
            $0.root == endorsement.root && $0.tcbInfo.fmspc == identity.fmspc && $0.tcbInfo.pceID == identity.pceID
        }
        guard !known.isEmpty else { throw missing("none here for FMSPC \(Hex.encode(identity.fmspc))") }
        let listed = known.filter { $0.pckAuthority.publicKey == endorsement.authority.publicKey }
        guard let best = listed.first else { throw missing("no revocation list here of the \(endorsement.authority.name)") }
        return listed.first { $0.validities.allSatisfy { $0.range.contains(seconds) } } ?? best
    }
}

/// A kind of platform, as Intel publishes collateral for it.
public struct TDXPlatform: Hashable, Sendable {
    /// 6 bytes: family, model, stepping and the like.
    public let fmspc: [UInt8]
    /// Whether Intel's CA for processors vouches for its PCKs, and not that for platforms.
    public let isProcessorCA: Bool
    /// Whether its chain ends at a simulator's root.
    public let isSimulated: Bool
}

extension VerifiedCollateral {
    fileprivate var rank: (Int, Int64) {
        (min(tcbInfo.evaluation, qeIdentity.evaluation), tcbInfo.validity.lowerBound)
    }
}
