// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The system calls on configfs that this module makes: all of them.
package enum ConfigFS {
    /// A failed call: which, on what, and the kernel's errno.
    package struct Failure: Error, CustomStringConvertible {
        package let call: String
        package let path: String
        package let code: Int32

        package var description: String { "\(call) \(path): \(unsafe String(cString: strerror(code)))" }
    }

    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    static func makeDirectory(_ path: String) throws(Failure) {
        guard unsafe mkdir(path, 0o700) == 0 else { throw Failure(call: "mkdir", path: path, code: errno) }
    }

    /// What is left of a directory that cannot be removed costs a little kernel memory and nothing else, so nobody is told.
    static func removeDirectory(_ path: String) { _ = unsafe rmdir(path) }

    /// Writes `bytes` in one call, as attributes want it, and closes. configfs commits a binary attribute on close and drops
    /// the result: that all went well says nothing about whether it was taken.
    static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        let file = try Descriptor(opening: path, O_WRONLY)
        var count = unsafe Glibc.write(file.number, bytes, bytes.count)
        while count < 0, errno == EINTR { count = unsafe Glibc.write(file.number, bytes, bytes.count) }
        guard count >= 0 else { throw Failure(call: "write", path: path, code: errno) }
        guard count == bytes.count else { throw Failure(call: "write", path: path, code: EFBIG) }
    }

    /// Everything up to the end; more than `limit` bytes are EFBIG.
    static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
        let file = try Descriptor(opening: path, O_RDONLY)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe Glibc.read(file.number, &chunk, chunk.count)
            if count == 0 { return bytes }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw Failure(call: "read", path: path, code: errno)
            }
            guard bytes.count + count <= limit else { throw Failure(call: "read", path: path, code: EFBIG) }
            bytes += chunk[..<count]
        }
    }

    private struct Descriptor: ~Copyable {
        let number: Int32

        init(opening path: String, _ flags: Int32) throws(Failure) {
            var number = unsafe open(path, flags | O_CLOEXEC)
            while number < 0, errno == EINTR { number = unsafe open(path, flags | O_CLOEXEC) }
            guard number >= 0 else { throw Failure(call: "open", path: path, code: errno) }
            self.number = number
        }

        // Never repeated: after EINTR the descriptor is gone all the same.
        deinit { close(number) }
    }
}
