// SPDX-License-Identifier: Apache-2.0
internal import Initrd
internal import LUKS

/// What an initrd does for the volumes of boot.json.
struct EarlyBoot {
    private let image: InitrdImage
    private let root: any FileTree
    private let commandLine: KernelCommandLine
    private let rules: FrontRules

    init(image: InitrdImage, root: any FileTree, commandLine: KernelCommandLine) {
        (self.image, self.root, self.commandLine) = (image, root, commandLine)
        rules = FrontRules(tree: image, place: "initrd", commandLine: commandLine, isInitrd: true, needsNetwork: false)
    }

    /// What dracut adds to the kernel's command line.
    static func commandLines(in image: InitrdImage) -> [String] {
        ["/etc/cmdline"].compactMap { image.text($0) }
            + ["/etc/cmdline.d", "/usr/lib/cmdline.d"].flatMap { folder in
                image.list(folder).compactMap { image.text("\(folder)/\($0)") }
            }
    }

    /// The volumes that something in it would open, and the others.
    func split(_ volumes: [BootConfig.Volume]) -> (opened: [BootConfig.Volume], rest: [BootConfig.Volume]) {
        let opened = volumes.filter { !$0.isLate && (rules.loop != nil || rules.entry(for: $0) != nil) }
        return (opened, volumes.filter { volume in !opened.contains { $0.name == volume.name } })
    }

    /// `bytes`: the root's boot.json.
    func findings(_ volumes: [BootConfig.Volume], _ configuration: BootConfig, bytes: [UInt8]?) -> [Finding] {
        guard !volumes.isEmpty else { return [] }
        let needs = PinNeeds(pins: Set(volumes.flatMap(\.pins)))
        let initrd = InitrdRules(tree: image, root: root, commandLine: commandLine, needs: needs)
        let fronts =
            rules.loop.map { [Finding(.ok, .front, at: "initrd", "\($0.rawValue) opens its volumes")] }
            ?? self.fronts(volumes, needs) + initrd.systemd()
        return sameConfiguration(bytes) + marker + fronts + shell(volumes)
            + ProgramRules(tree: image, place: "initrd", needs: needs).findings() + initrd.drivers() + initrd.network()
    }

    private func sameConfiguration(_ bytes: [UInt8]?) -> [Finding] {
        guard let inside = image.contents(BootConfig.defaultPath, limit: BootConfig.maximumLength) else {
            return [
                Finding(
                    .fails, .bootConfig, at: "initrd", "it has no \(BootConfig.defaultPath)", remedy: InitrdRules.rebuild)
            ]
        }
        guard inside == bytes else {
            return [
                Finding(
                    .fails, .bootConfig, at: "initrd", "its boot.json is another one than the root's",
                    remedy: InitrdRules.rebuild)
            ]
        }
        return [Finding(.ok, .bootConfig, at: "initrd", "its boot.json is the root's")]
    }

    /// Without it our programs would take themselves for a part of the running system, where no failure powers off.
    private var marker: [Finding] {
        image.exists("/etc/initrd-release")
            ? []
            : [
                Finding(
                    .fails, .front, at: "initrd", "it has no /etc/initrd-release, so a failure would not power off",
                    remedy: InitrdRules.rebuild)
            ]
    }

    /// Whoever has a shell in a measured initrd can ask its pins for their secrets.
    private func shell(_ volumes: [BootConfig.Volume]) -> [Finding] {
        guard volumes.contains(where: { $0.onFailure != .shell }) else { return [] }
        let isClosed =
            switch rules.loop {
            case .initramfsTools:
                image.text("/scripts/panic/ORDER")?.contains("/scripts/panic/cvm-clevis") == true
                    || commandLine.value("panic")?.isEmpty == false
            case .dracut: commandLine.isOff("rd.shell")
            case nil: image.exists("/etc/systemd/system/emergency.service.d/50-cvm-clevis.conf")
            }
        guard !isClosed else { return [] }
        return [
            Finding(
                .warning, .shell, at: "initrd",
                "a failed boot gives a shell to whoever holds the console, which boot.json does not allow",
                remedy: InitrdRules.rebuild)
        ]
    }

    private func fronts(_ volumes: [BootConfig.Volume], _ needs: PinNeeds) -> [Finding] {
        var findings: [Finding] = []
        if commandLine.isOff("rd.luks") || commandLine.isOff("luks") {
            findings.append(
                Finding(
                    .fails, .commandLine, at: "kernel command line", "rd.luks=0 keeps systemd from opening any volume",
                    remedy: "leave it out"))
        }
        for volume in volumes {
            guard let entry = rules.entry(for: volume) else { continue }
            for problem in rules.problems(entry, volume) where !findings.contains(problem) { findings.append(problem) }
        }
        if needs.network, !image.exists("/etc/systemd/system/cvm-clevis-key.service.d/50-network.conf"),
            !image.exists("/etc/systemd/system/cvm-clevis-agent.service.d/50-network.conf")
        {
            findings.append(
                Finding(
                    .warning, .unit, at: "initrd", "its units do not wait for the network, which pins ask over",
                    remedy: "put in systemd/network, as the dracut module does"))
        }
        let failed = findings.contains { $0.severity == .fails }
        let names = volumes.map(\.name).joined(separator: ", ")
        return failed ? findings : findings + [Finding(.ok, .front, at: "initrd", "systemd opens \(names) by our fronts")]
    }
}
