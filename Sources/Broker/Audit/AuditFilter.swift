// SPDX-License-Identifier: Apache-2.0

/// Which entries to list; nil lets all through.
public struct AuditFilter: Sendable {
    /// A thumbprint.
    public var owner: String?
    public var decision: Verdict.Decision?
    public var binding: String?
    /// CHIP_ID or PPID in base64url.
    public var chip: String?
    public var resource: String?
    /// What an administrator called for.
    public var action: String?
    /// Thumbprint of a replica's audit key.
    public var replica: String?
    /// Seconds since 1970: from the one until before the other.
    public var since: Int64?
    public var until: Int64?
    /// Only what follows that number in that replica's chain.
    var chain: (replica: String, after: Int64)?

    public init() {}

    /// For WHERE, with what its parameters stand for.
    var condition: (sql: String, arguments: [(any Storable)?]) {
        var parts: [String] = []
        var arguments: [(any Storable)?] = []
        func add(_ comparison: String, _ value: (any Storable)?) {
            guard let value else { return }
            arguments.append(value)
            parts.append("\(comparison) ?\(arguments.count)")
        }
        add("owner =", owner)
        add("decision =", decision?.rawValue)
        add("binding =", binding)
        add("chip =", chip)
        add("resource =", resource)
        add("action =", action)
        add("replica =", replica)
        add("at >=", since)
        add("at <", until)
        add("replica =", chain?.replica)
        add("seq >", chain?.after)
        return (parts.isEmpty ? "TRUE" : parts.joined(separator: " AND "), arguments)
    }
}
