// SPDX-License-Identifier: Apache-2.0
import Diagnosis
import Foundation
import Initrd
import InitrdMaker
import LUKS
import PinKit
import TangServer

/// A system with one volume, `root`, that would boot: a root in a folder, and an initrd. Tests take away from it.
final class BootStage {
    static let release = "6.12.0-test"
    static let modules = "usr/lib/modules/\(release)"
    static let line = "/run/cvm-clevis/key.socket header=/run/cvm-clevis/root.header"

    let stage: Stage
    let uuid: String
    private let folder: Folder
    private let pins: [String]

    /// Files of the initrd by their paths; those in `programs` can be run.
    var initrd: [String: [UInt8]] = [:]
    var programs: Set<String> = []
    /// Behind its archive.
    var appended: [UInt8] = []
    /// Files of the root.
    var root: [String: String] = [:]
    var commandLine = "root=/dev/mapper/root"
    var device: String?

    init(pins: [String] = ["null"], onFailure: BootConfig.OnFailure = .poweroff, isLate: Bool = false) throws {
        stage = try Stage()
        folder = try Folder()
        self.pins = pins
        uuid = try stage.volume.uuid()
        device = stage.path
        try stage.bind("null")
        root["etc/cvm-clevis/boot.json"] = try bootConfig(pins: pins + ["null"], onFailure: onFailure, isLate: isLate)
        fill()
    }

    func bootConfig(
        pins: [String], uuid: String? = nil, owner: PublicKey? = nil, onFailure: BootConfig.OnFailure = .poweroff,
        isLate: Bool = false
    ) throws -> String {
        let volume = try BootConfig.Volume(
            name: "root", uuid: uuid ?? self.uuid, owner: owner ?? stage.owner.publicKey, pins: pins, onFailure: onFailure,
            isLate: isLate)
        return try BootConfig(volumes: [volume]).json.pretty
    }

    private func fill() {
        initrd["etc/cvm-clevis/boot.json"] = Array(root["etc/cvm-clevis/boot.json"]?.utf8 ?? "".utf8)
        text("etc/initrd-release", "ID=test\n")
        text("etc/crypttab", "root UUID=\(uuid) \(BootStage.line),x-initrd.attach\n")
        for unit in ["cvm-clevis-headers.service", "cvm-clevis-key.socket", "cvm-clevis-key.service"] {
            text("usr/lib/systemd/system/\(unit)", "[Unit]\n")
        }
        for unit in ["cvm-clevis-headers.service", "cvm-clevis-key.socket"] {
            text("etc/systemd/system/sysinit.target.wants/\(unit)", "")
        }
        text("etc/systemd/system/emergency.service.d/50-cvm-clevis.conf", "")
        let libraries = "usr/lib/x86_64-linux-gnu"
        program("usr/bin/cvm-clevis-unlock", ["libcryptsetup.so.12", "libc.so.6"], interpreter: "/lib64/ld.so")
        program("usr/lib/systemd/systemd-cryptsetup", ["libc.so.6"])
        library("usr/lib64/ld.so")
        library("\(libraries)/libc.so.6")
        library("\(libraries)/libcryptsetup.so.12", ["libc.so.6"])
        library("\(libraries)/systemd/libsystemd-shared-257.so")
        text("\(BootStage.modules)/modules.builtin", "kernel/crypto/xts.ko\n")
        text(
            "\(BootStage.modules)/modules.dep", "kernel/md/dm-crypt.ko.xz: kernel/md/dm-mod.ko.xz\nkernel/md/dm-mod.ko.xz:\n"
        )
        text("\(BootStage.modules)/kernel/md/dm-crypt.ko.xz", "")
        text("\(BootStage.modules)/kernel/md/dm-mod.ko.xz", "")
    }

    func text(_ path: String, _ text: String) { initrd[path] = Array(text.utf8) }
    func library(_ path: String, _ needed: [String] = []) { initrd[path] = ELFFile.make(needing: needed) }
    func driver(_ name: String) { text("\(BootStage.modules)/kernel/\(name).ko.xz", "") }

    func program(_ path: String, _ needed: [String] = [], interpreter: String? = nil) {
        initrd[path] = ELFFile.make(needing: needed, interpreter: interpreter)
        programs.insert(path)
    }

    // MARK: - Looking at it

    private func image() throws -> [UInt8] {
        var archive = Archive()
        archive.directory("usr/lib")
        archive.link("lib64", to: "usr/lib64")
        for (path, content) in initrd.sorted(by: { $0.key < $1.key }) {
            archive.file(path, content, mode: programs.contains(path) ? 0o755 : 0o644)
        }
        return archive.finished() + appended
    }

    func check(withInitrd: Bool = true) throws -> BootDiagnosis {
        let files = FileManager.default
        let base = URL(fileURLWithPath: folder.path).appendingPathComponent(UUID().uuidString)
        try files.createDirectory(at: base.appendingPathComponent("etc"), withIntermediateDirectories: true)
        for (path, text) in root {
            let file = base.appendingPathComponent(path)
            try files.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        let path = base.appendingPathComponent("initrd.img").path
        try Data(image()).write(to: URL(fileURLWithPath: path))
        let content = Result { () throws(InitrdError) in try InitrdImage(path) }
        let check = BootCheck(
            root: DirectoryTree(base.path), isRunning: false, initrd: withInitrd ? (path, content) : nil,
            commandLines: [commandLine], registry: Stage.registry, devices: device.map { ["root": $0] } ?? [:])
        return check.run()
    }

    /// What is not well, without the verdict and without what is said of a policy that anybody meets.
    func problems() throws -> [String] { try check().problems }
}

extension BootDiagnosis {
    var problems: [String] {
        findings.filter { $0.severity != .ok && $0.code != .boots && $0.code != .unconditional }
            .map { "\($0.severity.rawValue) \($0.code.rawValue) \($0.place): \($0.text)" }
    }
}
