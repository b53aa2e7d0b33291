// SPDX-License-Identifier: Apache-2.0
public import TEE

/// What a quote says whose origin is proven: only ``TDXVerifier`` makes one. Whether it is the guest somebody wants, and whether its
/// platform is good enough, a ``TDXPolicy`` says.
public struct GenuineTDX: Sendable {
    public let report: TDReport
    /// The log whose events give the RTMRs of the quote; nil where none was given.
    public let eventLog: EventLog?

    // The platform.

    /// 16 bytes: which processor.
    public let ppid: [UInt8]
    /// 6 bytes: which kind of platform.
    public let fmspc: [UInt8]
    /// SHA-256 of the PCK certificate.
    public let certificateDigest: [UInt8]
    /// Made by a simulator whose root was added: proves nothing about hardware.
    public let isSimulated: Bool

    // What Intel says of it. Never ``TCBStatus/revoked``: such a quote is not genuine.

    /// The worst of the three below.
    public let tcbStatus: TCBStatus
    public let platformStatus: TCBStatus
    /// nil where the module has no levels of its own.
    public let moduleStatus: TCBStatus?
    public let qeStatus: TCBStatus
    /// When the platform's level came to be, in seconds since 1970.
    public let tcbDate: Int64
    /// The lower of the two evaluation numbers that the collateral has.
    public let tcbEvaluation: Int
    /// INTEL-SA-… that apply to any of the three, sorted, each once.
    public let advisories: [String]

    /// The dates between which each part of the proof holds.
    public let validities: [Validity]

    public struct Validity: Sendable, Equatable {
        public let part: String
        /// Seconds since 1970, both ends included.
        public let range: ClosedRange<Int64>
        /// A certificate, as opposed to what Intel publishes anew every 30 days.
        let isCertificate: Bool

        static func certificate(_ part: String, _ range: ClosedRange<Int64>) -> Validity {
            Validity(part: part, range: range, isCertificate: true)
        }

        static func collateral(_ part: String, _ range: ClosedRange<Int64>) -> Validity {
            Validity(part: part, range: range, isCertificate: false)
        }
    }

    /// Assesses `quote`, whose signatures hold, by `collateral`.
    init(
        _ quote: TDXQuote, _ endorsement: PCKEndorsement, _ collateral: VerifiedCollateral, eventLog: EventLog?
    ) throws(EvidenceError) {
        let platform = try collateral.tcbInfo.assess(endorsement.identity, quote.report)
        let module = try collateral.tcbInfo.assessModule(quote.report)
        let qe = try collateral.qeIdentity.assess(quote.signature.qeReport)
        let all = [platform, qe] + (module.map { [$0] } ?? [])
        self.tcbStatus = all.reduce(.upToDate) { $0.joined(with: $1.status) }
        guard tcbStatus != .revoked else {
            throw EvidenceError(.refused, step: "TCB", detail: "Intel has revoked platform, module or quoting enclave")
        }
        self.report = quote.report
        self.eventLog = eventLog
        self.ppid = endorsement.identity.ppid
        self.fmspc = endorsement.identity.fmspc
        self.certificateDigest = endorsement.digest
        self.isSimulated = endorsement.root.isSimulated
        self.platformStatus = platform.status
        self.moduleStatus = module?.status
        self.qeStatus = qe.status
        self.tcbDate = platform.date
        self.tcbEvaluation = min(collateral.tcbInfo.evaluation, collateral.qeIdentity.evaluation)
        self.advisories = Self.union(all.map(\.advisories))
        self.validities = endorsement.validities + collateral.validities
    }

    private static func union(_ lists: [[String]]) -> [String] {
        var union: [String] = []
        for advisory in lists.joined().sorted() where advisory != union.last { union.append(advisory) }
        return union
    }

    /// That every part of the proof holds at `seconds` since 1970. Throws `.refused` for a certificate, and `.unavailable`
    /// where only the collateral is of another time: with that of the day it could be told.
    package func check(at seconds: Int64) throws(EvidenceError) {
        let outside = validities.filter { !$0.range.contains(seconds) }
        guard let first = outside.first(where: \.isCertificate) ?? outside.first else { return }
        let problem = seconds < first.range.lowerBound ? "is not valid yet" : "has expired"
        throw EvidenceError(
            first.isCertificate ? .refused : .unavailable, step: "dates",
            detail: "\(first.part) \(problem): valid from \(Timestamp.text(first.range.lowerBound)) to "
                + "\(Timestamp.text(first.range.upperBound)), now \(Timestamp.text(seconds))")
    }
}
