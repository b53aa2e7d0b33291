// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// A binding's policy with the messages of its pins.
struct Policy: Sendable {
    indirect enum Node: Sendable {
        /// An index of ``leaves``.
        case leaf(Int)
        case threshold(needed: Int, [Node])
    }

    struct Leaf: Sendable {
        /// `sss[1].tang`
        let path: String
        let message: JWE
    }

    private(set) var root = Node.leaf(0)
    private(set) var leaves: [Leaf] = []

    /// Reads headers only. A pin that `registry` does not know is a leaf.
    init(of message: JWE, registry: PinRegistry) throws(PinError) {
        root = try read(message, path: message.pin ?? "?", depth: 1, registry)
    }

    private mutating func read(
        _ message: JWE, path: String, depth: Int, _ registry: PinRegistry
    ) throws(PinError) -> Node {
        guard let pin = (try? registry.pin(of: message)) as? any PolicyPin else {
            leaves.append(Leaf(path: path, message: message))
            guard leaves.count <= PolicyWalk.maximumLeaves else { throw Policy.tooLarge(path) }
            return .leaf(leaves.count - 1)
        }
        guard depth < PolicyWalk.maximumDepth else { throw Policy.tooLarge(path) }
        let threshold = try pin.threshold(of: message)
        var children: [Node] = []
        for (index, child) in threshold.children.enumerated() {
            let path = "\(path)[\(index)].\(child.pin ?? "?")"
            children.append(try read(child, path: path, depth: depth + 1, registry))
        }
        return .threshold(needed: threshold.needed, children)
    }

    private static func tooLarge(_ path: String) -> PinError {
        PinError(.malformed, path: path, step: "read a policy", detail: "too many pins, or nested too deeply")
    }

    /// Whether the policy is met where each leaf is what `opens` says of it.
    func isMet(_ opens: (Int) -> Bool) -> Bool { isMet(root, opens) }

    private func isMet(_ node: Node, _ opens: (Int) -> Bool) -> Bool {
        switch node {
        case .leaf(let index): opens(index)
        case .threshold(let needed, let children): children.filter { isMet($0, opens) }.count >= needed
        }
    }

    /// How many pins must agree at least; `null` always does and is not counted.
    var leastPins: Int { least(root) }

    private func least(_ node: Node) -> Int {
        switch node {
        case .leaf(let index): leaves[index].message.pin == "null" ? 0 : 1
        case .threshold(let needed, let children): children.map(least).sorted().prefix(needed).reduce(0, +)
        }
    }
}

/// What was found out about the pins of one policy, put together.
struct PolicyVerdict {
    let opens: Bool
    private let policy: Policy
    /// Per leaf.
    private let outcomes: [[Finding]]

    init(_ policy: Policy, _ outcomes: [[Finding]]) {
        self.policy = policy
        self.outcomes = outcomes
        opens = policy.isMet { !PolicyVerdict.fails(outcomes[$0]) }
    }

    private static func fails(_ findings: [Finding]) -> Bool { findings.contains { $0.severity == .fails } }

    /// Those of the leaves, then that of the binding.
    func findings(at place: String) -> [Finding] {
        zip(policy.leaves, outcomes).flatMap { leaf, found in found.map { $0.at("\(place): \(leaf.path)") } }
            + [conclusion.at(place)]
    }

    private var conclusion: Finding {
        let failed = outcomes.filter(PolicyVerdict.fails).count
        guard opens else {
            return Finding(
                .fails, .binding, "its policy would not be met: \(failed) of its \(outcomes.count) pins would fail",
                remedy: "mend what its pins say, or bind anew")
        }
        guard failed > 0 else { return Finding(.ok, .binding, "its policy would be met") }
        return Finding(
            .warning, .binding, "its policy would be met, though \(failed) of its \(outcomes.count) pins would fail",
            remedy: "mend what its pins say before another one fails")
    }
}
