// SPDX-License-Identifier: Apache-2.0
internal import LUKS
internal import PinKit

/// Whether a volume is the one that boot.json describes, and whether a binding of it would be accepted. No pin is asked.
struct VolumeRules {
    let entry: BootConfig.Volume
    let configuration: BootConfig
    let registry: PinRegistry
    /// A block device or an image file.
    let device: String

    func findings() -> [Finding] {
        let place = "volume \(entry.name)"
        let header: Header
        do throws(LUKSError) {
            header = try HeaderCopy(of: device).header
        } catch {
            return [failure(of: error).at(place)]
        }
        guard header.uuid == entry.uuid else {
            let text = "\(device) has the UUID \(header.uuid), and boot.json says \(entry.uuid)"
            let remedy = "cvm-clevis boot-config create -d \(device) --name \(entry.name) --output FILE --keep"
            return [Finding(.fails, .device, at: place, text, remedy: remedy)]
        }
        let rules = BindingRules(
            header: header, demands: .boot(configuration), trust: entry.trust, registry: registry, device: device)
        let bindings = rules.bindings()
        let accepted = bindings.filter { $0.policy != nil }
        // One that is not accepted keeps nothing closed where another one is.
        let found = bindings.flatMap(\.findings).map { accepted.isEmpty ? $0 : $0.atMost(.warning) }
        return found.map { $0.at("\(place): \($0.place)") } + [verdict(accepted).at(place)]
    }

    private func failure(of error: LUKSError) -> Finding {
        if error.code == .refused || error.code == .malformed {
            return Finding(
                .fails, .header, "its header is not opened: \(error.detail)",
                remedy: "if you made this change, undo it with cryptsetup; if not, the disk was tampered with")
        }
        return Finding(
            .fails, .device, "\(device) cannot be looked at: \(error.code.rawValue)",
            remedy: "run this as root where the disk is, or say where it is: --device \(entry.name)=PATH")
    }

    private func verdict(_ accepted: [CheckedBinding]) -> Finding {
        guard !accepted.isEmpty else {
            return Finding(
                .fails, .binding, "no binding of \(device) would be accepted",
                remedy: "cvm-clevis luks bind -d \(device) --name \(entry.name) --boot-config FILE")
        }
        let tokens = accepted.map { String($0.number) }.joined(separator: ", ")
        return Finding(
            .ok, .binding,
            "\(device) is what boot.json says; accepted would be token\(accepted.count == 1 ? "" : "s") \(tokens)")
    }
}
