// SPDX-License-Identifier: Apache-2.0

/// The policies of one walk laid out as trees, and what has come back so far. Used by the walking thread only; workers see
/// the leaves' outcomes.
final class PolicyTree {
    /// A message in its place in a policy.
    final class Node {
        let message: JWE
        /// `sss[1].tang`
        let path: String
        /// The threshold above, or nil for a whole message.
        let parent: Node?
        /// Its place among the children there.
        let index: Int
        /// Which message of the walk this one belongs to.
        let root: Int
        let outcome = Outcome()
        var threshold: (pin: any PolicyPin, value: Threshold)?
        var isSettled = false
        private(set) var shares = Shares()
        /// By the place of the child that failed.
        private(set) var failures: [Int: PinError] = [:]

        init(_ message: JWE, path: String, parent: Node?, index: Int, root: Int) {
            self.message = message
            self.path = path
            self.parent = parent
            self.index = index
            self.root = root
        }

        var isMoot: Bool { isSettled || parent?.isMoot == true }

        func collect(_ recovered: consuming Recovered, of child: Node) {
            switch consume recovered {
            case .secret(let secret): shares.append(secret)
            case .failure(let error): failures[child.index] = error
            }
        }
    }

    /// Leaves that one worker serves: all those of a batch pin, or a single one.
    struct Group {
        let pin: any Pin
        var leaves: [Int]
    }

    private(set) var leaves: [Node] = []
    private var groups: [Group] = []
    private var unreadable: [(node: Node, error: PinError)] = []
    private var rootsLeft: Int

    init(_ messages: [JWE], registry: PinRegistry) {
        rootsLeft = messages.count
        for (index, message) in messages.enumerated() {
            add(message, below: nil, index: 0, root: index, depth: 1, registry)
        }
    }

    var isSettled: Bool { rootsLeft == 0 }

    /// The groups without leaves that cannot matter any more, because a policy above them is settled.
    var openGroups: [Group] {
        groups.compactMap { group in
            let open = group.leaves.filter { !leaves[$0].isMoot }
            return open.isEmpty ? nil : Group(pin: group.pin, leaves: open)
        }
    }

    private func add(
        _ message: JWE, below parent: Node?, index: Int, root: Int, depth: Int, _ registry: PinRegistry
    ) {
        let name = message.pin ?? "?"
        let path = parent.map { "\($0.path)[\(index)].\(name)" } ?? name
        let node = Node(message, path: path, parent: parent, index: index, root: root)
        do throws(PinError) {
            let pin = try registry.pin(of: message)
            guard let policy = pin as? any PolicyPin else { return try add(leaf: node, of: pin) }
            guard depth < PolicyWalk.maximumDepth else {
                throw PinError(
                    .malformed, step: "read a policy", detail: "nested more than \(PolicyWalk.maximumDepth) levels deep")
            }
            let threshold = try policy.threshold(of: message)
            node.threshold = (policy, threshold)
            for (index, child) in threshold.children.enumerated() {
                add(child, below: node, index: index, root: root, depth: depth + 1, registry)
            }
        } catch {
            unreadable.append((node, error))
        }
    }

    private func add(leaf: Node, of pin: any Pin) throws(PinError) {
        guard leaves.count < PolicyWalk.maximumLeaves else {
            throw PinError(
                .malformed, step: "read a policy", detail: "more than \(PolicyWalk.maximumLeaves) pins in one walk")
        }
        let index = leaves.count
        leaves.append(leaf)
        if pin is any BatchPin, let group = groups.firstIndex(where: { $0.pin.name == pin.name }) {
            groups[group].leaves.append(index)
        } else {
            groups.append(Group(pin: pin, leaves: [index]))
        }
    }
}

extension PolicyTree {
    typealias Each = (Int, consuming Recovered) -> PolicyWalk.Next

    /// Messages that no pin here can read fail before anything is contacted.
    func settleUnreadable(_ each: Each) -> PolicyWalk.Next {
        for (node, error) in unreadable where settle(node, .failure(error.at(node.path)), each) == .stop { return .stop }
        return .proceed
    }

    func settle(leaf index: Int, _ each: Each) -> PolicyWalk.Next {
        let leaf = leaves[index]
        let recovered = Recovered { () throws(PinError) in
            do throws(PinError) { return try leaf.outcome.take() } catch { throw error.at(leaf.path) }
        }
        return settle(leaf, recovered, each)
    }

    /// After the deadline: whatever has not answered is unavailable.
    func settleMissing(_ each: Each) {
        for leaf in leaves where !leaf.isSettled {
            let late = PinError(.unavailable, path: leaf.path, step: "wait", detail: "no answer before the deadline")
            if settle(leaf, .failure(late), each) == .stop { return }
        }
    }

    private func settle(_ node: Node, _ recovered: consuming Recovered, _ each: Each) -> PolicyWalk.Next {
        guard !node.isSettled else { return .proceed }
        node.isSettled = true
        guard let parent = node.parent else {
            rootsLeft -= 1
            return each(node.root, recovered)
        }
        guard !parent.isSettled else { return .proceed }
        parent.collect(recovered, of: node)
        return settleIfDecided(parent, each)
    }

    private func settleIfDecided(_ node: Node, _ each: Each) -> PolicyWalk.Next {
        guard let (pin, threshold) = node.threshold else { return .proceed }
        if node.shares.count == threshold.needed {
            let combined = Recovered { () throws(PinError) in
                do throws(PinError) {
                    return try pin.combine(node.shares, of: node.message)
                } catch {
                    throw error.at(node.path)
                }
            }
            return settle(node, combined, each)
        }
        if node.failures.count > threshold.children.count - threshold.needed {
            return settle(node, .failure(tooFew(node, threshold)), each)
        }
        return .proceed
    }

    /// Why a threshold cannot be met any more. `.unavailable` only where waiting could still help.
    private func tooFew(_ node: Node, _ threshold: Threshold) -> PinError {
        // In the policy's order, whichever pin answered first.
        let failures = node.failures.sorted { $0.key < $1.key }.map(\.value)
        let lasting = failures.filter { $0.code != .unavailable }
        let spare = threshold.children.count - threshold.needed
        let code: PinError.Code =
            if lasting.count <= spare { .unavailable } else if lasting.contains(where: { $0.code == .refused }) {
                .refused
            } else { .failed }
        let reasons = failures.map(\.description).joined(separator: "; ")
        return PinError(
            code, path: node.path, step: "\(node.shares.count) of the \(threshold.needed) shares it needs", detail: reasons)
    }
}

extension PinError {
    /// The same error, told where in a policy it happened; a path from further inside stays.
    fileprivate func at(_ path: String) -> PinError { self.path.isEmpty ? within(path) : self }
}
