// SPDX-License-Identifier: Apache-2.0
internal import BootFronts
internal import Initrd
internal import LUKS

/// How systemd would open one volume: a line of crypttab, or what the kernel's command line says in its place.
struct CryptEntry: Equatable {
    var name: String
    var device: String
    /// Empty where a passphrase is asked for.
    var key: String
    var options: [String]

    var isForInitrd: Bool { options.contains("x-initrd.attach") }
    var isHeadless: Bool { options.contains { ["headless", "headless=1", "headless=true", "headless=yes"].contains($0) } }
    var hasHeader: Bool { options.contains { $0.hasPrefix("header=") } }

    /// Entries of crypttab(5), in order; lines of another form are left out.
    static func entries(of crypttab: String) -> [CryptEntry] {
        crypttab.split(separator: "\n").compactMap { line in
            let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard words.count >= 2, !words[0].hasPrefix("#") else { return nil }
            let key = words.count > 2 && !["-", "none"].contains(words[2]) ? words[2] : ""
            let options = words.count > 3 ? words[3].split(separator: ",").map(String.init) : []
            return CryptEntry(name: words[0], device: words[1], key: key, options: options)
        }
    }

    /// Whether it may be the volume with this UUID: only a device that names one can be told to be another's.
    func isFor(uuid: String) -> Bool {
        let device = device.lowercased()
        for prefix in ["uuid=", "/dev/disk/by-uuid/"] where device.hasPrefix(prefix) {
            return device.dropFirst(prefix.count).filter { $0 != "\"" } == uuid
        }
        return true
    }

    /// What our fronts would refuse of a process that opens the volume in this way; nil where they would answer it.
    var refusal: String? {
        let words = ["systemd-cryptsetup", "attach", name, device, key.isEmpty ? "-" : key, options.joined(separator: ",")]
        do throws(FrontError) {
            try AttachCommand(words.flatMap { Array($0.utf8) + [0] }).check(opens: name)
            return nil
        } catch {
            return error.description
        }
    }
}

/// The words of a kernel's command line, of one or more places.
struct KernelCommandLine {
    let words: [String]

    init(_ texts: [String]) {
        words = texts.flatMap { $0.split { $0 == " " || $0 == "\t" || $0 == "\n" }.map(String.init) }
    }

    /// What the last word `name=…` says; empty for one without `=`.
    func value(_ name: String) -> String? {
        words.last { $0 == name || $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
    }

    func isOff(_ name: String) -> Bool { ["0", "no", "n", "false", "off", "f"].contains(value(name) ?? "") }
    func isOn(_ name: String) -> Bool { value(name) != nil && !isOff(name) }

    /// What it says of the volume with this UUID (systemd-cryptsetup-generator(8)), on top of crypttab's `entry`.
    func entry(uuid: String, over entry: CryptEntry?) -> CryptEntry? {
        /// `UUID=VALUE` for this one, else `VALUE` for all.
        func setting(_ name: String) -> String? {
            let values = words.filter { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.count + 1)) }
            let own = values.last { $0.lowercased().hasPrefix("\(uuid)=") }.map { String($0.dropFirst(uuid.count + 1)) }
            return own ?? values.last { $0.dropFirst(uuid.count).first != "=" }
        }
        let names = words.filter { $0.hasPrefix("rd.luks.name=") || $0.hasPrefix("luks.name=") }
        let own = names.last { $0.lowercased().contains("luks.name=\(uuid)=") }
        guard let own else { return entry }
        let name = String(own.split(separator: "=", maxSplits: 2).last ?? "")
        let options = setting("rd.luks.options") ?? setting("luks.options")
        return CryptEntry(
            name: name, device: "UUID=\(uuid)", key: setting("rd.luks.key") ?? setting("luks.key") ?? entry?.key ?? "",
            options: options.map { $0.split(separator: ",").map(String.init) } ?? entry?.options ?? [])
    }
}
