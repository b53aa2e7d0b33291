// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Diagnosis
import FileIO
import Glibc
import Initrd
import LUKS
import LaunchMeasurement
import PinKit

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what a coming boot lacks: boot.json, volumes, crypttab, units, and what is in the initrd.",
        discussion: """
            A line for each thing that was looked at: ok, warning or fails, and what
            to do next. Nothing is opened and no pin is asked: that is luks check.
            Without --initrd, the running kernel's is looked for in /boot. Exit
            status: 0 nothing is seen that keeps a volume closed, 1 something is.

            Examples:
              cvm-clevis doctor
              cvm-clevis doctor --initrd /boot/initrd.img-6.12.9-amd64 --json
              cvm-clevis doctor --root image --initrd uki.efi --device root=disk.img
            """)

    @Option(help: "The initrd to look into, which may be compressed by gzip, xz or zstd; or a unified kernel image.")
    var initrd: String?

    @Option(help: "The system that is to boot, where it is not the running one: the folder that it is in.")
    var root = "/"

    @Option(help: "The root's boot.json, by its path in that root.")
    var bootConfig = BootConfig.defaultPath

    @Option(
        name: .customLong("device"),
        help: ArgumentHelp(
            "Where the volume NAME is; may be given again (default: found by its UUID).", valueName: "name=path"))
    var devices: [String] = []

    @Option(
        name: .customLong("cmdline"),
        help:
            "Its kernel's command line (default: a UKI's own; else the running kernel's, and the root's /etc/kernel/cmdline)."
    )
    var commandLine: String?

    @Flag(help: "Answer with JSON (docs/spec/doctor.md).")
    var json = false

    func validate() throws {
        guard devices.allSatisfy({ $0.split(separator: "=", maxSplits: 1).count == 2 }) else {
            throw ValidationError("--device takes NAME=PATH")
        }
        guard bootConfig.hasPrefix("/") else { throw ValidationError("--boot-config takes a path in the root, from / on") }
    }

    func run() throws {
        let tree = DirectoryTree(root)
        let path = initrd ?? usualInitrd(in: tree)
        let uki = try path.flatMap { try isEFI($0) ? BootFiles(uki: $0) : nil }
        var check = BootCheck(
            root: tree, isRunning: isRunning, initrd: path.map { path in (path, read(path, uki)) },
            commandLines: commandLines(tree, uki), registry: Pins.registry)
        check.bootConfig = bootConfig
        for device in devices {
            let parts = device.split(separator: "=", maxSplits: 1).map(String.init)
            check.devices[parts[0]] = parts[1]
        }
        let diagnosis = check.run()
        if json {
            Console.answer(diagnosis.json.canonical)
        } else {
            for finding in diagnosis.findings { Console.answer("\(finding)") }
        }
        if !diagnosis.boots { throw ExitCode(1) }
    }

    private var isRunning: Bool { root == "/" }

    private func isEFI(_ path: String) throws -> Bool {
        var start: [UInt8] = []
        try unsafe FileIO.read(path, from: 0, count: 2) { unsafe start += $0 }
        return start == Array("MZ".utf8)
    }

    private func read(_ path: String, _ uki: BootFiles?) -> Result<InitrdImage, InitrdError> {
        Result { () throws(InitrdError) in
            guard let uki else { return try InitrdImage(path) }
            guard let part = uki.initrdBytes else { throw InitrdError(path: path, reason: "it has no section .initrd") }
            return try InitrdImage(path, part: part)
        }
    }

    /// As Debian, Fedora and Arch name it, for the running kernel.
    private func usualInitrd(in tree: DirectoryTree) -> String? {
        guard isRunning, let bytes = try? FileIO.read("/proc/sys/kernel/osrelease", limit: 256) else { return nil }
        let release = String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
        let names = ["initrd.img-\(release)", "initramfs-\(release).img", "initrd-\(release)", "initramfs-linux.img"]
        return names.map { "/boot/\($0)" }.first(where: tree.exists)
    }

    private func commandLines(_ tree: DirectoryTree, _ uki: BootFiles?) -> [String] {
        if let commandLine = commandLine ?? uki?.commandLine { return [commandLine] }
        let running = isRunning ? try? FileIO.read("/proc/cmdline", limit: 64 << 10) : nil
        return [tree.text("/etc/kernel/cmdline"), running.map { String(decoding: $0, as: UTF8.self) }].compactMap { $0 }
    }
}
