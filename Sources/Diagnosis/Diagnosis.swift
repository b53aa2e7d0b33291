// SPDX-License-Identifier: Apache-2.0
package import LUKS
package import PinKit

/// What would become of a volume at the next boot, and why.
package struct Diagnosis: Sendable {
    package let volume: Volume
    /// nil where the header is not one that is opened.
    package let uuid: String?
    /// Whether some binding would open it.
    package let boots: Bool
    /// The last one is the verdict.
    package let findings: [Finding]

    /// docs/spec/check.md
    package var json: JSON {
        var members: JSONObject = ["version": 1, "device": .string(volume.path)]
        members["uuid"] = uuid.map { .string($0) }
        members["boots"] = .bool(boots)
        members["findings"] = .array(findings.map(\.json))
        return .object(members)
    }

    init(of volume: Volume, uuid: String?, _ findings: [Finding], openedBy tokens: [Int]) {
        self.volume = volume
        self.uuid = uuid
        self.boots = !tokens.isEmpty
        let numbers = tokens.map(String.init).joined(separator: ", ")
        let verdict =
            tokens.isEmpty
            ? Finding(.fails, .boots, "it would not open")
            : Finding(.ok, .boots, "it would open by token\(tokens.count == 1 ? "" : "s") \(numbers)")
        self.findings = findings + [verdict]
    }
}

/// Looks at a volume as a guest would at its next boot: the header, whom the bindings are by, and what their pins would say.
///
/// Nothing is written and nothing is opened. Pins are tried where that costs nothing: all at once, until the deadline.
package struct VolumeCheck: Sendable {
    /// What the guest will demand, where it is known; else the owner at home, whose key checks the signatures.
    package enum Demands: Sendable {
        case boot(BootConfig)
        case owner(PublicKey?)

        /// nil for a volume that boot.json does not name.
        func trust(for uuid: String) -> VolumeTrust? {
            switch self {
            case .boot(let configuration): configuration.volumes.first { $0.uuid == uuid }?.trust
            case .owner(let owner): VolumeTrust(owner: owner, unsigned: true)
            }
        }
    }

    private let demands: Demands
    private let registry: PinRegistry
    private let examination: Examination

    package init(demands: Demands, registry: PinRegistry, probes: [any Probe], deadline: Deadline) {
        self.demands = demands
        self.registry = registry
        self.examination = Examination(registry: registry, probes: probes, deadline: deadline)
    }

    /// Throws only where there is no LUKS2 volume to look at.
    package func run(_ volume: Volume) throws(LUKSError) -> Diagnosis {
        let header: Header
        do throws(LUKSError) {
            header = try HeaderCopy(of: volume.path).header
        } catch {
            guard error.code == .refused || error.code == .malformed else { throw error }
            return VolumeCheck.unopenable(volume, error)
        }
        var findings = [Finding(.ok, .header, at: "header", "is one that is opened")]
        if let trust = demands.trust(for: header.uuid) { return diagnose(volume, header, trust, findings) }
        findings.append(
            Finding(
                .fails, .volume, at: "header", "boot.json names no volume with UUID \(header.uuid)",
                remedy: "cvm-clevis boot-config create -d \(volume.path)"))
        return Diagnosis(of: volume, uuid: header.uuid, findings, openedBy: [])
    }

    private static func unopenable(_ volume: Volume, _ error: LUKSError) -> Diagnosis {
        let finding = Finding(
            .fails, .header, at: "header", error.detail,
            remedy: "if you made this change, undo it with cryptsetup; if not, the disk was tampered with")
        return Diagnosis(of: volume, uuid: nil, [finding], openedBy: [])
    }

    private func diagnose(_ volume: Volume, _ header: Header, _ trust: VolumeTrust, _ found: [Finding]) -> Diagnosis {
        var findings = found + KeyslotRules.findings(header)
        let rules = BindingRules(
            header: header, demands: demands, trust: trust, registry: registry, device: volume.path)
        let bindings = rules.bindings()
        let outcomes = examination.run(bindings.map(\.leaves))
        var open: [Int] = []
        for (binding, outcome) in zip(bindings, outcomes) {
            findings += binding.findings
            guard let policy = binding.policy else { continue }
            let verdict = PolicyVerdict(policy, outcome)
            findings += verdict.findings(at: binding.place)
            if verdict.opens { open.append(binding.number) }
        }
        findings += rules.comparison(bindings)
        if bindings.isEmpty {
            findings.append(Finding(.fails, .binding, "it has no binding", remedy: "cvm-clevis luks bind -d \(volume.path)"))
        }
        return Diagnosis(of: volume, uuid: header.uuid, findings, openedBy: open)
    }
}
