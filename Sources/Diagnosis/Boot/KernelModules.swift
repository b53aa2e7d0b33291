// SPDX-License-Identifier: Apache-2.0
internal import Initrd

/// The drivers that a root has for one kernel.
struct KernelModules {
    let release: String
    private let folder: String
    /// Where each is, below ``folder``, by its name; `-` and `_` are the same.
    private var files: [String: String] = [:]
    private let builtIn: Set<String>
    /// What each needs, by its place.
    private let dependencies: [String: [String]]

    /// One for each kernel that `tree` has modules of.
    static func all(in tree: any FileTree) -> [KernelModules] {
        let folder = ["/usr/lib/modules", "/lib/modules"].first { !tree.list($0).isEmpty } ?? ""
        return tree.list(folder).map { KernelModules($0, "\(folder)/\($0)", tree) }
    }

    private init(_ release: String, _ folder: String, _ tree: any FileTree) {
        self.release = release
        self.folder = folder
        builtIn = Set((tree.text("\(folder)/modules.builtin", limit: 4 << 20) ?? "").split(separator: "\n").map(Self.name))
        var dependencies: [String: [String]] = [:]
        for line in (tree.text("\(folder)/modules.dep", limit: 4 << 20) ?? "").split(separator: "\n") {
            let words = line.split { $0 == " " || $0 == ":" }.map(String.init)
            if let place = words.first { dependencies[place] = Array(words.dropFirst()) }
        }
        self.dependencies = dependencies
        collect("", tree, depth: 0)
    }

    private mutating func collect(_ place: String, _ tree: any FileTree, depth: Int) {
        guard depth < 16 else { return }
        for name in tree.list(folder + place) {
            let below = "\(place)/\(name)"
            if name.contains(".ko") {
                files[Self.name(name[...])] = String(below.dropFirst())
            } else if !name.contains(".") || depth > 0 {
                collect(below, tree, depth: depth + 1)
            }
        }
    }

    /// `kernel/drivers/net/virtio_net.ko.xz`: virtio_net.
    private static func name(_ place: Substring) -> String {
        let file = place.split(separator: "/").last ?? place
        return String((file.split(separator: ".").first ?? file).map { $0 == "-" ? "_" : $0 })
    }

    func has(_ name: String) -> Bool { builtIn.contains(name) || files[name] != nil }

    /// Files that `name` needs, and that are not there.
    func missing(for name: String) -> [String] {
        guard let place = files[name] else { return [] }
        return (dependencies[place] ?? []).filter { files[Self.name($0[...])] == nil }
    }
}
