// SPDX-License-Identifier: Apache-2.0
internal import CCryptsetup
internal import Glibc
internal import PinKit

/// An open block device or image file.
struct VolumeFile: ~Copyable {
    let path: String
    private let descriptor: Int32

    init(_ path: String, writable: Bool = false) throws(LUKSError) {
        let descriptor = unsafe open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw LUKSError(.unreadable, place: path, step: "open", detail: reason(errno))
        }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0, [S_IFREG, S_IFBLK].contains(status.st_mode & S_IFMT) else {
            close(descriptor)
            throw LUKSError(.unreadable, place: path, step: "open", detail: "neither a block device nor a file")
        }
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Up to `count` bytes from `offset`; fewer where the volume ends.
    func read(_ count: Int, at offset: Int) throws(LUKSError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var length = 0
        while length < count {
            let got = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe pread(descriptor, buffer.baseAddress! + length, count - length, off_t(offset + length))
            }
            if got == 0 { break }
            guard got > 0 || errno == EINTR else {
                throw LUKSError(.unreadable, place: path, step: "read", detail: reason(errno))
            }
            length += max(0, got)
        }
        bytes.removeLast(count - length)
        return bytes
    }

    /// Keeps other writers of bindings out until this object goes; waits for one that is at work until `deadline`.
    func lock(until deadline: Deadline) throws(LUKSError) {
        while cvm_lock_file(descriptor) != 0 {
            let error = errno
            guard error == EAGAIN || error == EACCES || error == EINTR else {
                throw LUKSError(.failed, place: path, step: "lock", detail: reason(error))
            }
            guard !deadline.hasPassed else {
                throw LUKSError(
                    .busy, place: path, step: "lock",
                    detail: "another program uses it (a bind, or a machine that runs from it)")
            }
            usleep(20_000)
        }
    }
}

/// The kernel's words for `error`, a positive errno.
func reason(_ error: Int32) -> String { unsafe String(cString: strerror(error)) }
