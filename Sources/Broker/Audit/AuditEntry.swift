// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// One decision: about an envelope, about a request that never got as far as its envelopes, or about a call of an administrator.
public struct AuditEntry: Sendable, Equatable {
    /// Seconds since 1970.
    public let at: Int64
    public let verdict: Verdict
    /// Thumbprint, as the envelope's header names it; nil where no header was read.
    public let owner: String?
    /// `id` in the envelope's header.
    public let binding: String?
    /// Path of the resource that was asked for, where it was no envelope.
    public let resource: String?
    /// CHIP_ID or PPID in base64url; nil where the evidence was not genuine, since then it says nothing.
    public let chip: String?
    /// Address of the peer, a proxy's where one stands in between.
    public let remote: String
    /// Whether the evidence came from the simulator that this broker was told to trust.
    public let simulated: Bool
    /// The id of the token that a call of an administrator came with; nil for guests, and where the token was not good.
    public let actor: String?
    /// What that call was for; nil for guests.
    public let action: String?

    package init(
        at: Int64, verdict: Verdict, owner: String? = nil, binding: String? = nil, resource: String? = nil,
        chip: String? = nil, remote: String, simulated: Bool, actor: String? = nil, action: String? = nil
    ) {
        self.at = at
        self.verdict = verdict
        self.owner = owner
        self.binding = binding
        self.resource = resource
        self.chip = chip
        self.remote = remote
        self.simulated = simulated
        self.actor = actor
        self.action = action
    }

    /// As `audit --json` lists it and the chain hashes it (docs/spec/broker.md §6).
    func members(at place: AuditPlace?) -> JSONObject {
        var members: JSONObject = [
            "at": .integer(at), "decision": .string(verdict.decision.rawValue), "remote": .string(remote),
            "reason": .string(verdict.reason),
        ]
        if let owner { members["owner"] = .string(owner) }
        if let binding { members["binding"] = .string(binding) }
        if let resource { members["resource"] = .string(resource) }
        if let chip { members["chip"] = .string(chip) }
        if simulated { members["simulated"] = true }
        if let actor { members["actor"] = .string(actor) }
        if let action { members["action"] = .string(action) }
        if !verdict.failures.isEmpty { members["failures"] = .array(verdict.failures.map(\.json)) }
        if let place {
            members["replica"] = .string(place.replica)
            members["seq"] = .integer(place.sequence)
        }
        return members
    }
}

/// An entry as it is in the log.
public struct RecordedEntry: Sendable, Equatable {
    public let entry: AuditEntry
    /// nil for entries of a version that chained none.
    public let place: AuditPlace?
    let hash: [UInt8]?

    /// One object per decision, for `audit --json`.
    public var json: JSON {
        var members = entry.members(at: place)
        if let hash { members["hash"] = .string(Base64URL.encode(hash)) }
        return .object(members)
    }
}
