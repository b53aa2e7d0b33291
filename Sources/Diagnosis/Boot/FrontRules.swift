// SPDX-License-Identifier: Apache-2.0
internal import BootFronts
internal import Initrd
internal import LUKS

/// What opens one volume, in an initrd or later: systemd-cryptsetup with one of our fronts, dracut's loop, or the script of
/// initramfs-tools.
struct FrontRules {
    /// The initrd, or the root for a volume that is opened later.
    let tree: any FileTree
    let place: String
    let commandLine: KernelCommandLine
    let isInitrd: Bool
    let needsNetwork: Bool

    /// What opens all volumes of boot.json without systemd.
    enum Loop: String {
        case initramfsTools = "the script of initramfs-tools"
        case dracut = "dracut's loop"
    }

    var loop: Loop? {
        guard isInitrd else { return nil }
        if tree.isProgram("/scripts/local-top/cvm-clevis"),
            tree.text("/scripts/local-top/ORDER")?.contains("/scripts/local-top/cvm-clevis") == true
        {
            return .initramfsTools
        }
        let hooks = ["/usr/lib/dracut/hooks", "/lib/dracut/hooks", "/var/lib/dracut/hooks"]
        let isHooked = hooks.contains { folder in
            tree.list("\(folder)/initqueue/settled").contains { $0.hasSuffix("cvm-clevis-open.sh") }
        }
        return isHooked ? .dracut : nil
    }

    /// What crypttab and, in an initrd, the kernel's command line say of `volume`.
    func entry(for volume: BootConfig.Volume) -> CryptEntry? {
        let ignored = isInitrd && (commandLine.isOff("rd.luks.crypttab") || commandLine.isOff("luks.crypttab"))
        let lines = ignored ? [] : CryptEntry.entries(of: tree.text("/etc/crypttab") ?? "")
        let line = lines.first { $0.name == volume.name } ?? lines.first { $0.device.lowercased() == "uuid=\(volume.uuid)" }
        return isInitrd ? commandLine.entry(uuid: volume.uuid, over: line) : line
    }

    // MARK: - systemd

    /// What keeps systemd from opening `volume` by `entry`. Nothing where all is well.
    func problems(_ entry: CryptEntry, _ volume: BootConfig.Volume) -> [Finding] {
        var problems: [Finding] = []
        func problem(_ severity: Finding.Severity = .fails, _ text: String, _ remedy: String) {
            problems.append(Finding(severity, .crypttab, at: "\(place): \(volume.name)", text, remedy: remedy))
        }
        let line =
            "\(volume.name) UUID=\(volume.uuid) \(BootPaths.keySocket) header=/run/cvm-clevis/\(volume.name).header"
        if entry.name != volume.name {
            problem(.fails, "crypttab calls it \(entry.name), and boot.json \(volume.name)", "write: \(line)")
        } else if !entry.isFor(uuid: volume.uuid) {
            problem(.fails, "crypttab opens \(entry.device), and boot.json is for UUID=\(volume.uuid)", "write: \(line)")
        } else if !entry.key.isEmpty, entry.key != BootPaths.keySocket {
            problem(.fails, "its key is read from \(entry.key), not from our socket", "write: \(line)")
        } else if entry.hasHeader || !entry.key.isEmpty, let refusal = entry.refusal {
            problem(.fails, "our fronts would not answer: \(refusal)", "write: \(line)")
        }
        if entry.options.contains("noauto") {
            problem(.warning, "noauto: nothing opens it by itself", "leave noauto out")
        }
        if entry.isHeadless, volume.onFailure != .poweroff {
            problem(
                .warning, "headless: nobody is asked for a passphrase, though boot.json says \(volume.onFailure.rawValue)",
                "leave headless out")
        }
        if !isInitrd, needsNetwork, !entry.options.contains("_netdev") {
            problem(
                .warning, "it is opened before the network is up, which its pins ask over",
                "add the option _netdev, to crypttab and to fstab")
        }
        return problems + units(for: entry)
    }

    private func units(for entry: CryptEntry) -> [Finding] {
        var lacking: [Finding] = []
        func require(_ unit: String, enabled: Bool = false) {
            let folders = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"]
            if !folders.contains(where: { tree.exists("\($0)/\(unit)") }) {
                lacking.append(finding("\(unit) is not there", "install the units (systemd/) and make the initrd anew"))
            } else if enabled, !folders.contains(where: { tree.isNamed("\($0)/sysinit.target.wants/\(unit)") }) {
                lacking.append(finding("\(unit) is not enabled", "systemctl enable \(unit)"))
            }
        }
        func finding(_ text: String, _ remedy: String) -> Finding {
            Finding(.fails, .unit, at: place, text, remedy: isInitrd ? "make the initrd anew: \(remedy)" : remedy)
        }
        let cryptsetup = [
            "/usr/lib/systemd/systemd-cryptsetup", "/lib/systemd/systemd-cryptsetup", "/usr/bin/systemd-cryptsetup",
        ]
        if !cryptsetup.contains(where: tree.isProgram) {
            lacking.append(finding("systemd-cryptsetup is not there", "install systemd-cryptsetup"))
        }
        if entry.key.isEmpty, !entry.hasHeader {
            if !hasTokenPlugin {
                lacking.append(
                    finding(
                        "nothing answers: neither our socket nor a header copy nor the token plugin",
                        "give it \(BootPaths.keySocket) and header=/run/cvm-clevis/\(entry.name).header"))
            }
            return lacking
        }
        require("cvm-clevis-headers.service", enabled: true)
        if entry.key.isEmpty {
            require("cvm-clevis-agent.service")
            require("cvm-clevis-agent.path", enabled: true)
        } else {
            require("cvm-clevis-key.service")
            require("cvm-clevis-key.socket", enabled: true)
        }
        return lacking
    }

    private var hasTokenPlugin: Bool {
        guard !tree.exists("/etc/cvm-clevis/no-token-plugin") else { return false }
        let folders = ["/usr/lib", "/usr/lib64"] + tree.list("/usr/lib").map { "/usr/lib/\($0)" }
        return folders.contains { tree.exists("\($0)/cryptsetup/libcryptsetup-token-clevis.so") }
    }
}
