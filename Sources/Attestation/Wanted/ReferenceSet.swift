// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// Values that evidence is held against, signed by the owner apart from any policy, so that a new kernel takes a new set and
/// no new binding (docs/spec/reference-values.md). A policy names it (``ReferenceName``).
///
/// A set adds demands to those of the policy that names it, and takes none away. Says nothing about who signed it: see
/// ``SignedReferenceSet``.
public struct ReferenceSet: Sendable, Hashable {
    /// 1 to 64 characters of A-Z a-z 0-9 _ . -
    public let name: String
    /// 1 to 2⁵³; a set with a higher one takes the place of one with a lower one.
    public let version: Int64
    /// Seconds since 1970: when it was made, and the first moment at which it is no longer good.
    public let issuedAt: Int64
    public let expiresAt: Int64
    /// What the measurements take in: at least what a policy that names the set says.
    public let covers: SNPPolicy.Coverage
    /// The demands on a guest of SEV-SNP; nil where the set has no values for it.
    let snp: SNPPolicy?
    /// The same of TDX.
    let tdx: TDXPolicy?

    /// Throws for a member that is missing, unknown or not as specified.
    public init(json: JSON, at place: String = "") throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        guard let name = try reader.referenceName("name") else { throw reader.error(at: "name", "is missing") }
        self.name = name
        version = try reader.integer("version", in: ReferenceName.versions)
        issuedAt = try reader.integer("iat", in: 0...1 << 53)
        expiresAt = try reader.integer("exp", in: 0...1 << 53)
        covers = try reader.coverage("covers")
        let values = (snp: reader.optional("snp"), tdx: reader.optional("tdx"))
        try reader.finish()
        guard values.snp != nil || values.tdx != nil else {
            throw JSONError(place: place, problem: "has values for no platform: give snp or tdx")
        }
        guard expiresAt > issuedAt else { throw reader.error(at: "exp", "must be after iat") }
        let prefix = place.isEmpty ? "" : "\(place)."
        let covers = covers
        snp = try values.snp.map { (json) throws(JSONError) in
            try SNPPolicy(referenceValues: json, covers: covers, at: "\(prefix)snp")
        }
        tdx = try values.tdx.map { (json) throws(JSONError) in
            try TDXPolicy(referenceValues: json, covers: covers, at: "\(prefix)tdx")
        }
    }

    /// Reading it gives an equal set.
    public var json: JSON {
        var members: JSONObject = [
            "name": .string(name), "version": .integer(version), "iat": .integer(issuedAt), "exp": .integer(expiresAt),
            "covers": .names(of: covers, SNPPolicy.Coverage.names),
        ]
        members["snp"] = snp?.referenceValues
        members["tdx"] = tdx?.referenceValues
        return .object(members)
    }

    /// `root-image version 3`
    public var title: String { "\(name) version \(version)" }
}

extension ReferenceSet {
    /// From so many seconds before its end, whoever sees a set says so: 14 days.
    public static let warningPeriod: Int64 = 14 * 86_400

    public func isExpired(at now: Int64) -> Bool { now >= expiresAt }

    /// What to tell a person about its end; nil where that is far.
    public func warning(at now: Int64) -> String? {
        guard !isExpired(at: now) else {
            return "reference values \(title) expired on \(Timestamp.text(expiresAt)): nothing is opened by them"
        }
        // Both are at least 0, so this cannot overflow.
        let left = expiresAt - max(0, now)
        guard left <= ReferenceSet.warningPeriod else { return nil }
        let days = left / 86_400
        let time = days == 0 ? "within a day" : "in \(days) day\(days == 1 ? "" : "s")"
        return "reference values \(title) expire \(time), on \(Timestamp.text(expiresAt)): sign a new version"
    }
}

/// What a policy says in place of measurements: the name of a set, and the lowest version of it that is good enough.
public struct ReferenceName: Sendable, Hashable, CustomStringConvertible {
    public let name: String
    public let minimumVersion: Int64?

    static let versions: ClosedRange<Int64> = 1...1 << 53

    public var description: String { minimumVersion.map { "\(name) version \($0) or later" } ?? name }

    /// What became of the reference at `now`: a predicate that says so, and the values where it holds.
    func lookUp<Values>(
        _ set: ReferenceSet?, _ values: (ReferenceSet) -> Values?, for platform: String,
        covers: SNPPolicy.Coverage, at now: Int64
    ) -> (predicate: Predicate, values: Values?) {
        let found = set.flatMap(values)
        let problem: String? =
            switch set {
            case nil: "unknown: the owner has signed no such set, or this program was not given it"
            case let set? where set.name != name: "\(set.title), another set"
            case let set? where set.version < minimumVersion ?? 0: set.title
            case let set? where set.isExpired(at: now): "\(set.title), expired on \(Timestamp.text(set.expiresAt))"
            case let set? where !set.covers.isSuperset(of: covers): "\(set.title), which covers \(set.covers) only"
            case let set? where found == nil: "\(set.title), without values for \(platform)"
            default: nil
            }
        let predicate = Predicate(
            name: "reference", expected: "\(self), in force, covering \(covers)", actual: problem ?? set?.title ?? "",
            holds: problem == nil)
        return (predicate, problem == nil ? found : nil)
    }
}

extension SNPPolicy.Coverage: CustomStringConvertible {
    /// `firmware, kernel`
    public var description: String { Self.names.filter { contains($0.bit) }.map(\.name).joined(separator: ", ") }
}

extension JSONReader {
    /// `reference` and `reference_version` of a policy.
    mutating func reference() throws(JSONError) -> ReferenceName? {
        let version = try optionalInteger("reference_version", in: ReferenceName.versions)
        guard let name = try referenceName("reference") else {
            guard version == nil else { throw error(at: "reference_version", "needs reference") }
            return nil
        }
        return ReferenceName(name: name, minimumVersion: version)
    }

    fileprivate mutating func referenceName(_ member: String) throws(JSONError) -> String? {
        guard let name = try optionalString(member) else { return nil }
        let isName = name.utf8.allSatisfy { character in
            switch character {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isName, 1...64 ~= name.utf8.count else { throw error(at: member, "must be 1 to 64 of A-Z a-z 0-9 _ . -") }
        return name
    }
}
