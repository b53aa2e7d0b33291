// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import Glibc

/// A root on this machine: `/`, or a directory that one is being made in.
package struct DirectoryTree: FileTree {
    private let root: String

    package init(_ root: String) {
        self.root = root.hasSuffix("/") ? String(root.dropLast()) : root
    }

    package func node(at path: String) -> FileNode? {
        var status = stat()
        guard unsafe lstat(root + path, &status) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFDIR: return .directory
        case S_IFREG: return .file(isExecutable: status.st_mode & 0o111 != 0)
        case S_IFLNK: return target(of: path).map { .link($0) }
        default: return .other
        }
    }

    private func target(of path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe readlink(root + path, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
        }
        return count > 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }

    package func bytes(at path: String, limit: Int) -> [UInt8]? {
        guard case .file = node(at: path) else { return nil }
        return try? FileIO.read(root + path, limit: limit)
    }

    package func executable(at path: String) -> ELF? { bytes(at: path, limit: ELF.maximumFile).flatMap(ELF.init) }

    package func names(in path: String) -> [String] { (try? FileIO.names(in: root + path)) ?? [] }
}
