// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A policy as a tree of pin names: what a list shows, and what a boot configuration is held against.
public struct PolicyOutline: Sendable, Equatable {
    /// As the JWE's header names it; empty where it names none.
    public let pin: String
    /// How many of the children are needed; nil for a pin that stands for itself.
    public let needed: Int?
    public let children: [PolicyOutline]
    /// The pin's own part of the header, which says how it is to be asked; nil for a policy.
    public let parameters: JSON?

    /// Reads headers only; contacts nobody. A pin that `registry` does not know is a leaf.
    public init(of message: JWE, registry: PinRegistry) throws(LUKSError) {
        var budget = PolicyWalk.maximumLeaves
        do throws(PinError) {
            try self.init(of: message, registry, depth: 1, budget: &budget)
        } catch {
            throw LUKSError(error)
        }
    }

    private init(of message: JWE, _ registry: PinRegistry, depth: Int, budget: inout Int) throws(PinError) {
        self.pin = message.pin ?? ""
        guard let policy = (try? registry.pin(named: pin)) as? any PolicyPin else {
            budget -= 1
            guard budget >= 0 else { throw PolicyOutline.tooLarge }
            self.needed = nil
            self.children = []
            self.parameters = message.parameters
            return
        }
        guard depth < PolicyWalk.maximumDepth else { throw PolicyOutline.tooLarge }
        let threshold = try policy.threshold(of: message)
        var children: [PolicyOutline] = []
        for child in threshold.children {
            children.append(try PolicyOutline(of: child, registry, depth: depth + 1, budget: &budget))
        }
        self.needed = threshold.needed
        self.children = children
        self.parameters = nil
    }

    /// The pins that stand for themselves, from left to right.
    public var leaves: [PolicyOutline] { needed == nil ? [self] : children.flatMap(\.leaves) }

    /// Every pin of the tree, each once, sorted.
    public var pins: [String] { allPins.sorted() }

    private var allPins: Set<String> { children.reduce(into: [pin]) { $0.formUnion($1.allPins) } }

    private static let tooLarge = PinError(
        .malformed, step: "read a policy",
        detail: "more than \(PolicyWalk.maximumLeaves) pins, or nested more than \(PolicyWalk.maximumDepth) levels deep")
}

/// `sss(2 of: snp-attest, null)`
extension PolicyOutline: CustomStringConvertible {
    public var description: String {
        guard let needed else { return pin.isEmpty ? "?" : pin }
        return "\(pin)(\(needed) of: \(children.map(\.description).joined(separator: ", ")))"
    }
}
