// SPDX-License-Identifier: Apache-2.0
internal import Initrd

/// What else an initrd needs for the pins of its volumes.
struct InitrdRules {
    let tree: any FileTree
    /// Where kernels and their configuration are.
    let root: any FileTree
    let commandLine: KernelCommandLine
    let needs: PinNeeds

    private let place = "initrd"
    static let rebuild = "make the initrd anew, with the cvm-clevis module of dracut or initramfs-tools"

    // MARK: - Drivers

    func drivers() -> [Finding] {
        let kernels = KernelModules.all(in: tree)
        guard !kernels.isEmpty else {
            return [
                Finding(
                    .warning, .module, at: place, "it has no drivers at all: the kernel must have them built in",
                    remedy: "see whether it does: \(needs.drivers.flatMap(\.options).joined(separator: ", "))")
            ]
        }
        return kernels.flatMap { kernel in
            let options = configuration(of: kernel.release)
            let found = needs.drivers.flatMap { findings($0, kernel, options) }
            let well = Finding(.ok, .module, at: place, "the drivers that its pins need are there, for \(kernel.release)")
            return found.isEmpty ? [well] : found
        }
    }

    private func findings(_ driver: PinNeeds.Driver, _ kernel: KernelModules, _ options: Set<String>?) -> [Finding] {
        let there = driver.names.filter(kernel.has)
        guard there.isEmpty else {
            return there.flatMap(kernel.missing).map { file in
                Finding(
                    .fails, .module, at: place, "\(file) is missing, which \(there[0]) needs", remedy: Self.rebuild)
            }
        }
        let severity = driver.isVital ? Finding.Severity.fails : .warning
        let names = driver.names.joined(separator: " or ")
        if let options, options.isDisjoint(with: driver.options) {
            let wanted = driver.options.map { "CONFIG_\($0)" }.joined(separator: " or ")
            return [
                Finding(
                    severity, .kernel, at: "kernel \(kernel.release)",
                    "it has no driver for \(driver.what): it was built without \(wanted)",
                    remedy: "boot a kernel that has it")
            ]
        }
        return [
            Finding(
                severity, .module, at: place, "the driver for \(driver.what) is missing: \(names), for \(kernel.release)",
                remedy: Self.rebuild)
        ]
    }

    /// Options that are set; nil where that is not known.
    private func configuration(of release: String) -> Set<String>? {
        let files = ["/boot/config-\(release)", "/usr/lib/modules/\(release)/config", "/lib/modules/\(release)/config"]
        guard let text = files.lazy.compactMap({ root.text($0, limit: 4 << 20) }).first else { return nil }
        return Set(
            text.split(separator: "\n").compactMap { line in
                guard line.hasPrefix("CONFIG_"), line.hasSuffix("=y") || line.hasSuffix("=m") else { return nil }
                return String(line.dropFirst(7).dropLast(2))
            })
    }

    // MARK: - The network

    func network() -> [Finding] {
        guard needs.network else { return [] }
        let stacks = [
            ("systemd-networkd", ["/usr/lib/systemd/systemd-networkd", "/lib/systemd/systemd-networkd"]),
            ("NetworkManager", ["/usr/sbin/NetworkManager", "/usr/bin/NetworkManager"]),
            ("dracut's network-legacy", ["/usr/sbin/ifup", "/sbin/ifup"]),
            ("ipconfig", ["/usr/bin/ipconfig", "/bin/ipconfig"]), ("dhcpcd", ["/usr/sbin/dhcpcd", "/sbin/dhcpcd"]),
        ]
        guard let stack = stacks.first(where: { $0.1.contains(where: tree.isProgram) }) else {
            return [
                Finding(
                    .fails, .network, at: place, "a pin asks over the network, and nothing in it brings that up",
                    remedy: "\(Self.rebuild), and with network support (dracut --add network)")
            ]
        }
        guard tree.exists("/usr/lib/dracut") || tree.exists("/usr/lib/dracut-lib.sh"),
            !commandLine.isOn("rd.neednet")
        else { return [Finding(.ok, .network, at: place, "\(stack.0) brings up the network")] }
        return [
            Finding(
                .fails, .commandLine, at: place, "dracut brings up the network only with rd.neednet=1, which is nowhere",
                remedy: "\(Self.rebuild), or add rd.neednet=1 (and ip=…, if it is not DHCP) to the kernel's command line")
        ]
    }

    // MARK: - systemd

    /// The oldest that asks our socket for a key and says in its name for whom; the oldest with `headless`.
    private static let oldestSystemd = 249

    func systemd() -> [Finding] {
        let folders = ["/usr/lib/systemd", "/lib/systemd"] + tree.list("/usr/lib").map { "/usr/lib/\($0)/systemd" }
        let names = folders.flatMap { tree.list($0) }.filter { $0.hasPrefix("libsystemd-shared-") }
        let versions = names.compactMap { Int($0.dropFirst(18).prefix { $0.isNumber }) }
        guard let version = versions.max() else {
            return [
                Finding(
                    .warning, .systemd, at: place, "it is not seen which version of systemd it has",
                    remedy: "it must be 249 or later")
            ]
        }
        guard version < Self.oldestSystemd else { return [Finding(.ok, .systemd, at: place, "it has systemd \(version)")] }
        return [
            Finding(
                .fails, .systemd, at: place,
                "it has systemd \(version), and only 249 and later ask our socket in a way that it answers",
                remedy: "make the initrd on a system with a later systemd")
        ]
    }
}
