// SPDX-License-Identifier: Apache-2.0

/// What a policy said about evidence: every predicate that it made, in a fixed order, and not only the first that failed.
public struct Verdict: Sendable {
    public let predicates: [Predicate]

    public var accepted: Bool { predicates.allSatisfy(\.holds) }
    public var failed: [Predicate] { predicates.filter { !$0.holds } }

    /// One line: `vmpl is 2, not 0; debug is allowed, not off`. Empty when accepted.
    public var reason: String { failed.map(\.description).joined(separator: "; ") }
}

/// One demand of a policy, next to what the evidence has. Both are public.
public struct Predicate: Sendable, Equatable, CustomStringConvertible {
    /// The policy's member.
    public let name: String
    public let expected: String
    public let actual: String
    public let holds: Bool

    public var description: String { holds ? "\(name) is \(actual)" : "\(name) is \(actual), not \(expected)" }
}
