// SPDX-License-Identifier: Apache-2.0

/// What a path is.
package enum FileNode: Sendable, Equatable {
    case directory
    case file(isExecutable: Bool)
    case link(String)
    case other
}

/// A file system from its root: a directory, or what is in an image. Paths are absolute, and links lead nowhere else.
package protocol FileTree: Sendable {
    /// nil where nothing is. No directory on the way is a link, and no component is empty, `.` or `..`.
    func node(at path: String) -> FileNode?
    /// Of such a path, a regular file's; nil where it has more than `limit` bytes or was not kept.
    func bytes(at path: String, limit: Int) -> [UInt8]?
    /// What such a path's file needs to be run; nil for a file of another kind.
    func executable(at path: String) -> ELF?
    /// Of such a path, a directory's; in no order.
    func names(in path: String) -> [String]
}

extension FileTree {
    /// Where `path` leads, or nil where that is nowhere. Links are followed inside of the tree.
    package func resolve(_ path: String) -> String? {
        var rest = components(path)
        var found: [Substring] = []
        var links = 0
        while let part = rest.popLast() {
            if part == ".." {
                _ = found.popLast()
                continue
            }
            let place = "/" + (found + [part]).joined(separator: "/")
            switch node(at: place) {
            case .link(let target):
                links += 1
                guard links <= 40 else { return nil }
                if target.hasPrefix("/") { found = [] }
                rest += components(target)
            case nil: return nil
            default: found.append(part)
            }
        }
        return "/" + found.joined(separator: "/")
    }

    private func components(_ path: String) -> [Substring] {
        path.split(separator: "/").filter { $0 != "." }.reversed()
    }

    package func exists(_ path: String) -> Bool { resolve(path) != nil }

    /// Also a link that leads nowhere.
    package func isNamed(_ path: String) -> Bool {
        guard let slash = path.lastIndex(of: "/") else { return false }
        return list(String(path[..<slash])).contains(String(path[path.index(after: slash)...]))
    }

    package func isProgram(_ path: String) -> Bool {
        resolve(path).flatMap(node) == .file(isExecutable: true)
    }

    package func contents(_ path: String, limit: Int = 1 << 20) -> [UInt8]? {
        resolve(path).flatMap { bytes(at: $0, limit: limit) }
    }

    package func text(_ path: String, limit: Int = 1 << 20) -> String? {
        contents(path, limit: limit).map { String(decoding: $0, as: UTF8.self) }
    }

    package func elf(_ path: String) -> ELF? { resolve(path).flatMap(executable) }

    /// What is in the directory `path`; nothing where there is none.
    package func list(_ path: String) -> [String] {
        guard let place = resolve(path), node(at: place) == .directory || place == "/" else { return [] }
        return names(in: place).sorted()
    }
}
