// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A policy of either platform: for who reads a file and does not know which.
public enum GuestPolicy: Sendable, Hashable {
    case snp(SNPPolicy)
    case tdx(TDXPolicy)

    /// One with a member that only TDX has is for TDX; one that has none of either's, such as a mere reference, is for TDX
    /// with `preferringTDX`.
    public init(json: JSON, at place: String = "", preferringTDX: Bool = false) throws(JSONError) {
        let names = json.object?.names ?? []
        let isTDX = names.contains { Self.onlyTDX.contains($0) }
        if isTDX || (preferringTDX && names.allSatisfy { Self.shared.contains($0) }) {
            self = .tdx(try TDXPolicy(json: json, at: place))
        } else {
            self = .snp(try SNPPolicy(json: json, at: place))
        }
    }

    private static let onlyTDX = [
        "mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrconfigid", "mrowner", "mrownerconfig", "mrservicetd", "events",
        "sept_ve", "pks", "perfmon", "mrseam", "fmspc", "ppid", "tcb_status", "advisories", "tcb_evaluation",
    ]
    private static let shared = ["covers", "reference", "reference_version", "debug", "migrate"]

    /// For people.
    public var platform: String {
        switch self {
        case .snp: "SEV-SNP"
        case .tdx: "TDX"
        }
    }

    public var json: JSON {
        switch self {
        case .snp(let policy): policy.json
        case .tdx(let policy): policy.json
        }
    }

    public var covers: SNPPolicy.Coverage {
        switch self {
        case .snp(let policy): policy.covers
        case .tdx(let policy): policy.covers
        }
    }

    /// What it asks for, and what it does not (``SNPPolicy/words``).
    public var words: FactSheet {
        switch self {
        case .snp(let policy): policy.words
        case .tdx(let policy): policy.words
        }
    }

    /// What in it deserves a second look, though it may be meant.
    public var remarks: [String] {
        switch self {
        case .snp(let policy): policy.remarks
        case .tdx(let policy): policy.remarks
        }
    }
}

extension ReferenceSet {
    /// Its values in words.
    public var words: FactSheet {
        FactSheet(
            title: "A guest that is judged by this set gets the share only if:",
            sections: [
                FactSheet.Section(name: "SEV-SNP", facts: snp?.valuesInWords ?? []),
                FactSheet.Section(name: "TDX", facts: tdx?.valuesInWords ?? []),
            ])
    }

    /// Why the reference of `policy` does not hold with this set at `now`; nil where it has none, or holds.
    public func problem(for policy: GuestPolicy, at now: Int64) -> String? {
        let predicate: Predicate?
        switch policy {
        case .snp(let policy):
            predicate = policy.reference?.lookUp(self, { $0.snp }, for: "SEV-SNP", covers: policy.covers, at: now).predicate
        case .tdx(let policy):
            predicate = policy.reference?.lookUp(self, { $0.tdx }, for: "TDX", covers: policy.covers, at: now).predicate
        }
        return predicate.flatMap { $0.holds ? nil : $0.description }
    }
}
