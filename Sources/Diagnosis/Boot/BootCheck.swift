// SPDX-License-Identifier: Apache-2.0
internal import BootFronts
package import Initrd
internal import LUKS
package import PinKit

/// What a coming boot lacks (docs/spec/doctor.md).
package struct BootDiagnosis: Sendable {
    /// Whether nothing is seen that keeps a volume closed.
    package let boots: Bool
    /// nil where none was looked at.
    package let initrd: String?
    /// The last one is the verdict.
    package let findings: [Finding]

    package var json: JSON {
        var members: JSONObject = ["version": 1, "boots": .bool(boots)]
        members["initrd"] = initrd.map { .string($0) }
        members["findings"] = .array(findings.map(\.json))
        return .object(members)
    }
}

/// Looks at boot.json, at the volumes that it names, and at everything on their way to being opened: crypttab, units, and what
/// is in an initrd. Nothing is opened or changed, and no pin is asked (that is ``VolumeCheck``).
package struct BootCheck: Sendable {
    /// Where the system is that is to boot; `/` is the one that runs.
    package var root: any FileTree
    package var isRunning: Bool
    /// In the root.
    package var bootConfig = BootConfig.defaultPath
    /// nil where there is none to look at.
    package var initrd: (path: String, content: Result<InitrdImage, InitrdError>)?
    /// Command lines of the kernel that is to boot, as far as known.
    package var commandLines: [String]
    package var registry: PinRegistry
    /// Where a volume is, by its name; others are looked for by their UUID.
    package var devices: [String: String]

    package init(
        root: any FileTree, isRunning: Bool, initrd: (path: String, content: Result<InitrdImage, InitrdError>)?,
        commandLines: [String] = [], registry: PinRegistry, devices: [String: String] = [:]
    ) {
        self.root = root
        self.isRunning = isRunning
        self.initrd = initrd
        self.commandLines = commandLines
        self.registry = registry
        self.devices = devices
    }

    package func run() -> BootDiagnosis {
        var findings: [Finding] = []
        if let configuration = read(&findings) {
            for volume in configuration.volumes { findings += look(at: volume, configuration) }
            findings += ways(of: configuration)
            if isRunning {
                findings += MachineRules(tree: root, needs: PinNeeds(pins: Set(configuration.volumes.flatMap(\.pins))))
                    .findings()
            }
        }
        let failures = findings.filter { $0.severity == .fails }.count
        let verdict =
            failures == 0
            ? Finding(.ok, .boots, "nothing is seen that keeps a volume closed")
            : Finding(.fails, .boots, "\(failures) thing\(failures == 1 ? "" : "s") would keep it from opening its volumes")
        return BootDiagnosis(boots: failures == 0, initrd: initrd?.path, findings: findings + [verdict])
    }

    // MARK: - boot.json and the volumes

    private func read(_ findings: inout [Finding]) -> BootConfig? {
        let create = "cvm-clevis boot-config create -d DISK --name NAME --output \(bootConfig)"
        guard let text = root.contents(bootConfig, limit: BootConfig.maximumLength) else {
            findings.append(
                Finding(.fails, .bootConfig, at: bootConfig, "it is not there, or cannot be read", remedy: create))
            return nil
        }
        do throws(LUKSError) {
            let configuration = try BootConfig(parsing: text)
            let names = configuration.volumes.map(\.name).joined(separator: ", ")
            findings.append(Finding(.ok, .bootConfig, at: bootConfig, "it is valid, for \(names)"))
            return configuration
        } catch {
            findings.append(Finding(.fails, .bootConfig, at: bootConfig, error.detail, remedy: create))
            return nil
        }
    }

    private func look(at volume: BootConfig.Volume, _ configuration: BootConfig) -> [Finding] {
        let place = devices[volume.name] ?? (isRunning ? "/dev/disk/by-uuid/\(volume.uuid)" : nil)
        guard let place else {
            return [
                Finding(
                    .warning, .device, at: "volume \(volume.name)", "it is not looked at: where it is was not said",
                    remedy: "--device \(volume.name)=PATH")
            ]
        }
        let rules = VolumeRules(entry: volume, configuration: configuration, registry: registry, device: place)
        return rules.findings()
    }

    // MARK: - Their ways to be opened

    private func ways(of configuration: BootConfig) -> [Finding] {
        var findings: [Finding] = []
        guard let initrd else {
            findings.append(
                Finding(.warning, .initrd, "no initrd was found to look at", remedy: "say which one: --initrd FILE"))
            return findings + later(configuration.volumes, isKnown: false)
        }
        let image: InitrdImage
        do throws(InitrdError) {
            image = try initrd.content.get()
        } catch {
            let remedy = "make it anew, or give another one: --initrd FILE"
            return [Finding(.fails, .initrd, at: initrd.path, error.reason, remedy: remedy)]
        }
        let early = EarlyBoot(
            image: image, root: root, commandLine: KernelCommandLine(commandLines + EarlyBoot.commandLines(in: image)))
        findings.append(Finding(.ok, .initrd, at: "initrd", "is \(initrd.path)"))
        let (opened, rest) = early.split(configuration.volumes)
        findings += early.findings(opened, configuration, bytes: root.contents(bootConfig, limit: BootConfig.maximumLength))
        return findings + later(rest, isKnown: true)
    }

    /// Volumes that the initrd leaves closed.
    private func later(_ volumes: [BootConfig.Volume], isKnown: Bool) -> [Finding] {
        var findings: [Finding] = []
        var pins: Set<String> = []
        for volume in volumes {
            let rules = FrontRules(
                tree: root, place: "crypttab", commandLine: KernelCommandLine([]), isInitrd: false,
                needsNetwork: PinNeeds(pins: Set(volume.pins)).network)
            guard let entry = rules.entry(for: volume) else {
                findings.append(Self.nothingOpens(volume, isKnown: isKnown))
                continue
            }
            if entry.isForInitrd {
                findings +=
                    isKnown || volume.isLate
                    ? [Self.notInInitrd(volume)] : rules.problems(entry, volume).filter { $0.code == .crypttab }
                continue
            }
            pins.formUnion(volume.pins)
            var problems = rules.problems(entry, volume)
            if isKnown && !volume.isLate { problems.append(Self.initrdWaits(for: volume)) }
            let well = Finding(.ok, .crypttab, at: "crypttab: \(volume.name)", "it is opened after the initrd")
            findings += problems.contains { $0.severity == .fails } ? problems : problems + [well]
        }
        guard !pins.isEmpty else { return findings }
        return findings + ProgramRules(tree: root, place: "root", needs: PinNeeds(pins: pins)).findings()
    }

    private static func nothingOpens(_ volume: BootConfig.Volume, isKnown: Bool) -> Finding {
        let text =
            isKnown
            ? "nothing opens it: neither the initrd nor crypttab names it"
            : "crypttab does not name it, so an initrd would have to open it"
        let remedy =
            "\(InitrdRules.rebuild); or, for one that is opened later, add to crypttab: \(volume.name) UUID=\(volume.uuid) "
            + "\(BootPaths.keySocket) header=/run/cvm-clevis/\(volume.name).header"
        return Finding(isKnown ? .fails : .warning, .front, at: "volume \(volume.name)", text, remedy: remedy)
    }

    private static func notInInitrd(_ volume: BootConfig.Volume) -> Finding {
        Finding(
            .fails, .front, at: "volume \(volume.name)",
            "crypttab leaves it to the initrd (x-initrd.attach), which does not open it",
            remedy: volume.isLate ? "leave x-initrd.attach out: boot.json says that it is late" : InitrdRules.rebuild)
    }

    private static func initrdWaits(for volume: BootConfig.Volume) -> Finding {
        Finding(
            .warning, .bootConfig, at: "volume \(volume.name)",
            "the initrd waits for its disk, though it is opened after it: boot.json does not say that it is late",
            remedy: "cvm-clevis boot-config create --late --keep … and \(InitrdRules.rebuild)")
    }
}
