// SPDX-License-Identifier: Apache-2.0
public import TEE

/// What an owner demands of a genuine TDX guest before it gets a share (docs/spec/tdx-policy.md).
///
/// Read completely and strictly, as an ``SNPPolicy`` is. What is left out has its default: no debugging, no migration,
/// SEPT_VE_DISABLE, a platform that is up to date and free of advisories, and otherwise no demand. Which firmware it is must
/// be said.
public struct TDXPolicy: Sendable, Hashable {
    public typealias Coverage = SNPPolicy.Coverage

    /// What the registers that the policy names take in: the owner's word, which no evidence can confirm.
    public internal(set) var covers: Coverage

    // Which software. Empty lists and nil make no demand.

    /// A set of reference values, in place of ``mrTDs``.
    public internal(set) var reference: ReferenceName?
    /// Digests of 48 bytes, as all below; one of them.
    public internal(set) var mrTDs: [[UInt8]] = []
    /// Four lists, for RTMR0 to RTMR3.
    public internal(set) var rtmrs: [[[UInt8]]] = [[], [], [], []]
    /// What the host gave at launch: one VM, where a fleet shares its measurements.
    public internal(set) var mrConfigID: [UInt8]?
    public internal(set) var mrOwner: [UInt8]?
    public internal(set) var mrOwnerConfig: [UInt8]?
    /// Service TDs that may be bound to the guest; a report of TDX 1.0 has none.
    public internal(set) var mrServiceTDs: [[UInt8]] = []
    /// What the event log must show of each RTMR that is named here.
    public internal(set) var events: [EventPattern] = []

    // What the host may do to it, and what it may use.

    public internal(set) var allowsDebug = false
    public internal(set) var allowsMigration = false
    public internal(set) var demandsSEPTVEDisable = true
    public internal(set) var allowsPKS = true
    public internal(set) var allowsPerfmon = true

    // On which platform.

    /// TDX modules.
    public internal(set) var mrSEAMs: [[UInt8]] = []
    /// 6 bytes each: kinds of platform.
    public internal(set) var fmspcs: [[UInt8]] = []
    /// 16 bytes each: processors.
    public internal(set) var ppids: [[UInt8]] = []
    /// Never `revoked`.
    public internal(set) var tcbStatuses: [TCBStatus] = [.upToDate]
    /// Advisories that may apply; no others may.
    public internal(set) var advisories: [String] = []
    /// At least this TCB evaluation data number.
    public internal(set) var tcbEvaluation: Int?

    init(covers: Coverage) { self.covers = covers }

    public var coversInitrd: Bool { covers.contains(.initrd) }

    /// Events of one register that may be in the log. A register that a pattern names is closed: each of its events must
    /// match a pattern, and each pattern an event. To ask only whether an event is there would be no demand: whatever was
    /// booted could add it.
    public struct EventPattern: Sendable, Hashable {
        public let rtmr: Int
        public let type: EventType
        /// SHA-384; nil for any.
        public let digest: [UInt8]?

        func matches(_ event: EventLog.Event) -> Bool {
            event.rtmr == rtmr && event.type == type && (digest.map { $0 == event.digest } ?? true)
        }
    }
}

extension TDXPolicy {
    /// The policy that accepts exactly the software and VM of `evidence`, and platforms of its kind that are no worse: for
    /// an owner who has a quote that is right. Nil where the guest can be debugged or migrated, or its host can fault it, which
    /// nobody should ask for by example.
    public static func strictest(accepting evidence: GenuineTDX, covers: Coverage) -> TDXPolicy? {
        let report = evidence.report
        guard report.attributes.isDisjoint(with: [.underDebug, .migratable]), report.attributes.contains(.septVEDisable),
            !covers.isEmpty, report.mrTD.contains(where: { $0 != 0 })
        else { return nil }
        let given = { (register: [UInt8]) in register.contains { $0 != 0 } ? register : nil }
        var policy = TDXPolicy(covers: covers)
        policy.mrTDs = [report.mrTD]
        policy.rtmrs = report.rtmrs.map { [$0] }
        policy.mrConfigID = given(report.mrConfigID)
        policy.mrOwner = given(report.mrOwner)
        policy.mrOwnerConfig = given(report.mrOwnerConfig)
        policy.allowsPKS = report.attributes.contains(.pks)
        policy.allowsPerfmon = report.attributes.contains(.perfmon)
        policy.fmspcs = [evidence.fmspc]
        policy.tcbStatuses = evidence.tcbStatus == .upToDate ? [.upToDate] : [.upToDate, evidence.tcbStatus]
        policy.advisories = evidence.advisories
        policy.tcbEvaluation = evidence.tcbEvaluation
        return policy
    }
}
