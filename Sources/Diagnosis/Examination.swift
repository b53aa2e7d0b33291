// SPDX-License-Identifier: Apache-2.0
internal import LUKS
package import PinKit

/// Sees whether a pin of its kind would give its secret back at the next boot.
package protocol Probe: Sendable {
    /// The pins whose messages it can look at.
    var pins: [String] { get }

    /// One finding or more, without a place; ends at `run.deadline`.
    func examine(_ message: JWE, in run: Run) -> [Finding]
}

/// Looks at many messages at once, each on a thread of its own.
struct Examination: Sendable {
    let registry: PinRegistry
    let probes: [any Probe]
    let deadline: Deadline

    /// For each message what was found, in the same shape. What a hostile header may ask for is bounded: more messages than
    /// a walk would take are not looked at.
    func run(_ messages: [[JWE]]) -> [[[Finding]]] {
        let flat = messages.flatMap { $0 }
        var found = examine(Array(flat.prefix(PolicyWalk.maximumLeaves)))
        let tooMany = Finding(.fails, .pin, "there are more than \(PolicyWalk.maximumLeaves) pins in this header")
        found += Array(repeating: [tooMany], count: flat.count - found.count)
        var rest = found[...]
        return messages.map { group in
            defer { rest = rest.dropFirst(group.count) }
            return Array(rest.prefix(group.count))
        }
    }

    private func examine(_ messages: [JWE]) -> [[Finding]] {
        let late = Finding(.fails, .unreachable, "no answer in time", remedy: "see why it hangs, or give --timeout")
        return concurrently(messages.count, until: deadline) { examine(messages[$0]) }.map { $0 ?? [late] }
    }

    private func examine(_ message: JWE) -> [Finding] {
        let run = Run(registry: registry, deadline: deadline)
        guard let pin = try? registry.pin(of: message) else {
            return [
                Finding(
                    .fails, .unknownPin, "this program has no pin \(message.pin ?? "without a name")",
                    remedy: "remove the binding, or install what opens it")
            ]
        }
        let probe = probes.first { $0.pins.contains(pin.name) } ?? TrialProbe()
        guard !registry.names.contains(pin.name) else { return probe.examine(message, in: run) }
        let external = Finding(
            .warning, .externalPin, "a program of another project: cvm-clevis-unlock in an initrd does not have it",
            remedy: "see to it that something in the initrd opens it")
        return [external] + probe.examine(message, in: run)
    }
}
