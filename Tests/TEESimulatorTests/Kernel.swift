// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A system call that failed with this errno.
struct Failed: Error, Equatable {
    let code: Int32
}

/// System calls with the kernel's own convention: a failure is the negative errno.
enum Kernel {
    static func open(_ path: String, _ flags: Int32) -> Int32 {
        let file = unsafe Glibc.open(path, flags | O_CLOEXEC, 0o600)
        return file < 0 ? -errno : file
    }

    static func write(_ bytes: [UInt8], to file: Int32) -> Int {
        let count = unsafe Glibc.write(file, bytes, bytes.count)
        return count < 0 ? -Int(errno) : count
    }

    static func makeDirectory(_ path: String) -> Int32 { unsafe mkdir(path, 0o700) == 0 ? 0 : -errno }

    static func removeDirectory(_ path: String) -> Int32 { unsafe rmdir(path) == 0 ? 0 : -errno }

    static func unlink(_ path: String) -> Int32 { unsafe Glibc.unlink(path) == 0 ? 0 : -errno }

    static func contents(of path: String) throws -> [UInt8] {
        let file = open(path, O_RDONLY)
        guard file >= 0 else { throw Failed(code: -file) }
        defer { close(file) }
        return try contents(of: file)
    }

    /// In pieces, as a reader with a small buffer has them.
    static func contents(of file: Int32) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1000)
        while true {
            let count = unsafe read(file, &chunk, chunk.count)
            guard count >= 0 else { throw Failed(code: errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }

    static func mode(of path: String) -> mode_t {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status.st_mode : 0
    }

    /// Sorted, without . and ..
    static func names(in path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            // A fixed array of which the name takes as much as it needs, and a zero.
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Starts a process in this thread's mount namespace.
    static func spawn(_ command: [String]) -> pid_t {
        var child: pid_t = 0
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        return unsafe posix_spawn(&child, command[0], nil, nil, &arguments, environ) == 0 ? child : -1
    }

    static func wait(for child: pid_t) -> Int32 {
        var status: Int32 = 0
        guard unsafe waitpid(child, &status, 0) == child else { return -1 }
        return status & 0x7f == 0 ? status >> 8 & 0xff : -1
    }
}
