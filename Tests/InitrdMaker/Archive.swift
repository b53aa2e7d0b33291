// SPDX-License-Identifier: Apache-2.0

/// A cpio archive as kernels unpack it, with the directories that its files are in.
package struct Archive: Sendable {
    package private(set) var bytes: [UInt8] = []
    private var next: UInt32 = 1
    private var known: Set<String> = []

    package init() {}

    package mutating func directory(_ path: String) { add(path, mode: 0o040755, []) }
    package mutating func link(_ path: String, to target: String) { add(path, mode: 0o120777, Array(target.utf8)) }

    package mutating func file(_ path: String, _ content: [UInt8], mode: UInt32 = 0o644) {
        add(path, mode: 0o100000 | mode, content)
    }

    package mutating func file(_ path: String, _ text: String) { file(path, Array(text.utf8)) }
    package mutating func program(_ path: String, _ content: [UInt8]) { file(path, content, mode: 0o755) }

    /// One file by several names, as archivers write it: the last name has the content.
    package mutating func file(_ paths: [String], _ text: String) {
        let inode = next
        next += 1
        for path in paths {
            add(path, mode: 0o100644, path == paths.last ? Array(text.utf8) : [], links: UInt32(paths.count), inode: inode)
        }
    }

    /// With its end.
    package func finished() -> [UInt8] {
        var copy = self
        copy.add("TRAILER!!!", mode: 0, [])
        return copy.bytes
    }

    private mutating func add(_ path: String, mode: UInt32, _ content: [UInt8], links: UInt32 = 1, inode: UInt32? = nil) {
        let parts = path.split(separator: "/")
        for count in parts.indices.dropFirst() {
            let parent = parts[..<count].joined(separator: "/")
            if parent != "..", parent != ".", !known.contains(parent) { add(parent, mode: 0o040755, []) }
        }
        known.insert(parts.joined(separator: "/"))
        let name = Array(path.utf8) + [0]
        let fields = [
            inode ?? next, mode, 0, 0, links, 0, UInt32(content.count), 8, 1, 0, 0, UInt32(name.count), 0,
        ]
        if inode == nil { next += 1 }
        bytes += "070701".utf8
        for field in fields {
            let digits = String(field, radix: 16)
            bytes += (String(repeating: "0", count: 8 - digits.count) + digits).utf8
        }
        bytes += name
        pad()
        bytes += content
        pad()
    }

    private mutating func pad() { bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4) }
}
