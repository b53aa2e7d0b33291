// SPDX-License-Identifier: Apache-2.0
internal import Initrd

/// Whether programs of a root find the libraries that they need.
struct Libraries {
    private let tree: any FileTree
    private let folders: [String]

    init(_ tree: any FileTree) {
        self.tree = tree
        let roots = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"]
        // Debian's and others' folders by architecture: /usr/lib/x86_64-linux-gnu.
        let below = ["/usr/lib", "/lib"].flatMap { root in
            tree.list(root).filter { $0.hasSuffix("-linux-gnu") }.map { "\(root)/\($0)" }
        }
        folders = roots + below
    }

    /// What is missing for the program at `path`, or for a library that is opened by its name while it runs, and by which
    /// file: itself, or one that it needs.
    func missing(for path: String) -> [(library: String, neededBy: String)] {
        guard let elf = tree.elf(path) else { return [] }
        var seen: Set<String> = []
        var lacking: [(library: String, neededBy: String)] = []
        var rest = [(path, elf)]
        if let interpreter = elf.interpreter, tree.elf(interpreter) == nil { lacking.append((interpreter, path)) }
        while let (user, elf) = rest.popLast() {
            for name in elf.needed where seen.insert(name).inserted {
                guard let (place, library) = find(name, elf.searched) else {
                    lacking.append((name, user))
                    continue
                }
                rest.append((place, library))
            }
        }
        return lacking
    }

    /// As ``missing(for:)``, of a library that nothing names before it is opened.
    func missing(opened name: String) -> [(library: String, neededBy: String)] {
        guard let (place, _) = find(name, []) else { return [(name, "")] }
        return missing(for: place)
    }

    private func find(_ name: String, _ searched: [String]) -> (place: String, ELF)? {
        for folder in searched + folders where !folder.hasPrefix("$") {
            if let elf = tree.elf("\(folder)/\(name)") { return ("\(folder)/\(name)", elf) }
        }
        return nil
    }
}
