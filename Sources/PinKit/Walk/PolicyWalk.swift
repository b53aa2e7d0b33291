// SPDX-License-Identifier: Apache-2.0

/// Recovers secrets by walking their policies: every leaf of every policy at once, each on a thread of its own, and done as
/// soon as the thresholds are met.
///
/// Several messages (the bindings of all volumes of a machine) are walked together, so that a ``BatchPin`` serves them all
/// with one exchange.
public struct PolicyWalk: Sendable {
    /// Limits on policies from outside: levels of nesting, and leaves of one walk (each costs a thread).
    public static let maximumDepth = 6
    public static let maximumLeaves = 64

    /// What pins that end at the deadline get besides, to say what they waited for. In milliseconds.
    private static let grace = 100

    private let registry: PinRegistry
    private let deadline: Deadline

    public init(registry: PinRegistry, deadline: Deadline) {
        self.registry = registry
        self.deadline = deadline
    }

    /// Whether the caller wants more answers.
    public enum Next: Sendable {
        case proceed
        case stop
    }

    public func recover(_ message: JWE) throws(PinError) -> SecretBytes {
        let outcome = Outcome()
        recover([message]) { _, recovered in
            outcome.set(recovered)
            return .stop
        }
        return try outcome.take()
    }

    /// Calls `each` on this thread once per message, in the order in which answers come, until it says `.stop`. After the
    /// deadline whatever is missing comes as `.unavailable`.
    public func recover(_ messages: [JWE], each: (Int, consuming Recovered) -> Next) {
        let tree = PolicyTree(messages, registry: registry)
        let mailbox = Mailbox<Int>()
        var next = tree.settleUnreadable(each)
        if next == .stop { return }
        start(tree, mailbox)
        let end = deadline.later(milliseconds: PolicyWalk.grace)
        while !tree.isSettled, let leaf = mailbox.next(before: end) {
            next = tree.settle(leaf: leaf, each)
            if next == .stop { return }
        }
        tree.settleMissing(each)
    }

    private func start(_ tree: PolicyTree, _ mailbox: Mailbox<Int>) {
        let run = Run(registry: registry, deadline: deadline)
        for group in tree.openGroups {
            let outcomes = group.leaves.map { tree.leaves[$0].outcome }
            let messages = group.leaves.map { tree.leaves[$0].message }
            let pin = group.pin
            let leaves = group.leaves
            let started = startWorker {
                PolicyWalk.work(pin, messages, in: run) { index, recovered in
                    outcomes[index].set(recovered)
                    mailbox.post(leaves[index])
                }
            }
            guard !started else { continue }
            for leaf in leaves {
                tree.leaves[leaf].outcome.set(.failure(PinError(.failed, step: "start a thread")))
                mailbox.post(leaf)
            }
        }
    }

    private static func work(
        _ pin: any Pin, _ messages: [JWE], in run: Run, deliver: (Int, consuming Recovered) -> Void
    ) {
        if let pin = pin as? any BatchPin {
            pin.decrypt(messages, in: run, deliver: deliver)
        } else {
            for (index, message) in messages.enumerated() {
                deliver(index, Recovered { () throws(PinError) in try pin.decrypt(message, in: run) })
            }
        }
    }
}
