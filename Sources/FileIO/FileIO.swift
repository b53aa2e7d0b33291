// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import PinKit

/// Small files and descriptors, read whole with a limit and written whole: configuration, keys, messages on standard input.
public enum FileIO {
    /// The whole of a file that holds no secret. At most `limit` bytes.
    public static func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        let file = try FileDescriptor(opening: path, O_RDONLY, name: path)
        return try read(file.number, limit: limit, name: path)
    }

    /// Everything up to the end of `descriptor`, which stays open.
    public static func read(_ descriptor: Int32, limit: Int, name: String) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = try unsafe readSome(descriptor, into: &chunk, count: chunk.count, name: name)
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else {
                throw FileError(name, over: limit)
            }
            bytes += chunk[..<count]
        }
    }

    /// At most `count` bytes from `offset` on, fewer where the file ends before, piece by piece, none of which is kept. Each
    /// piece but the last has ``pieceSize`` bytes. Neither `offset` nor `count` may be negative.
    public static func read(
        _ path: String, from offset: Int, count: Int, pieces body: (UnsafeRawBufferPointer) -> Void
    ) throws(FileError) {
        let file = try FileDescriptor(opening: path, O_RDONLY, name: path)
        guard lseek(file.number, off_t(offset), SEEK_SET) == off_t(offset) else { throw FileError(path, errno: errno) }
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: min(count, pieceSize), alignment: 64)
        defer { unsafe piece.deallocate() }
        var rest = count
        while rest > 0 {
            let wanted = min(rest, piece.count)
            let length = try unsafe read(
                file.number, filling: UnsafeMutableRawBufferPointer(rebasing: piece[..<wanted]), path)
            if length > 0 { unsafe body(UnsafeRawBufferPointer(rebasing: piece[..<length])) }
            guard length == wanted else { return }
            rest -= length
        }
    }

    /// 64 KiB: with more, what is read leaves the processor's nearest caches before it is looked at.
    public static let pieceSize = 64 << 10

    /// As much of `buffer` as there is until the end: how many bytes.
    private static func read(
        _ descriptor: Int32, filling buffer: UnsafeMutableRawBufferPointer, _ name: String
    ) throws(FileError) -> Int {
        var length = 0
        while length < buffer.count, let start = buffer.baseAddress {
            let count = try unsafe readSome(descriptor, into: start + length, count: buffer.count - length, name: name)
            if count == 0 { break }
            length += count
        }
        return length
    }

    /// The whole of a file that holds a key.
    public static func readSecret(_ path: String, limit: Int) throws(FileError) -> SecretBytes {
        let file = try FileDescriptor(opening: path, O_RDONLY, name: path)
        return try readSecret(file.number, limit: limit, name: path)
    }

    /// Everything up to the end of `descriptor`, or up to its first newline (which is dropped) with `line`.
    public static func readSecret(
        _ descriptor: Int32, limit: Int, line: Bool = false, name: String
    ) throws(FileError) -> SecretBytes {
        var length = 0
        let buffer = try unsafe SecretBytes(count: limit + 1) { (buffer) throws(FileError) in
            while length <= limit {
                // One byte at a time up to a newline: what follows it on a pipe belongs to the next reader.
                let wanted = line ? 1 : limit + 1 - length
                let count = try unsafe readSome(descriptor, into: buffer.baseAddress! + length, count: wanted, name: name)
                if count == 0 { return }
                if line, unsafe buffer[length] == UInt8(ascii: "\n") { return }
                length += count
            }
        }
        guard length <= limit, let secret = buffer.slice(0..<length) else {
            throw FileError(name, over: limit)
        }
        return secret
    }

    /// Writes a new file; one that exists is an error, never overwritten.
    public static func create(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws(FileError) {
        let file = try FileDescriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL, mode: mode, name: path)
        try write(file.number, SecretBytes(copyingPublic: bytes), name: path)
    }

    /// Writes a new file of mode 0600.
    public static func createSecret(_ path: String, _ secret: borrowing SecretBytes) throws(FileError) {
        let file = try FileDescriptor(opening: path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600, name: path)
        try write(file.number, secret, name: path)
    }

    /// Puts `bytes` in place of the file at `path` in one step: a reader sees the old file or the new one.
    public static func replace(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws(FileError) {
        let draft = "\(path).new"
        _ = unsafe unlink(draft)
        try create(draft, bytes, mode: mode)
        guard unsafe rename(draft, path) == 0 else { throw FileError(path, errno: errno) }
    }

    public static func write(_ descriptor: Int32, _ secret: borrowing SecretBytes, name: String) throws(FileError) {
        try unsafe secret.withUnsafeBytes { (bytes) throws(FileError) in
            var rest = unsafe bytes
            while unsafe !rest.isEmpty {
                let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
                guard count >= 0 || errno == EINTR else { throw FileError(name, errno: errno) }
                unsafe rest = unsafe UnsafeRawBufferPointer(rebasing: rest[max(0, count)...])
            }
        }
    }

    /// Writes public text.
    public static func write(_ descriptor: Int32, _ text: String, name: String = "output") throws(FileError) {
        try write(descriptor, SecretBytes(copyingPublic: Array(text.utf8)), name: name)
    }

    /// Whether nobody but the file's owner may read, write or run it (mode 0600 or less).
    public static func isPrivate(_ path: String) throws(FileError) -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw FileError(path, errno: errno) }
        return status.st_mode & 0o077 == 0
    }

    /// Makes `path` belong to whom `other` belongs to; for anybody but root it does already.
    public static func give(_ path: String, toOwnerOf other: String) throws(FileError) {
        guard geteuid() == 0 else { return }
        var status = stat()
        guard unsafe stat(other, &status) == 0 else { throw FileError(other, errno: errno) }
        guard unsafe chown(path, status.st_uid, status.st_gid) == 0 else { throw FileError(path, errno: errno) }
    }

    /// The names in a directory, in no order, without `.` and `..`.
    public static func names(in path: String) throws(FileError) -> [String] {
        guard let directory = unsafe opendir(path) else { throw FileError(path, errno: errno) }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// Bytes of a regular file. Throws for anything else, such as a pipe, whose size nothing tells.
    public static func size(_ path: String) throws(FileError) -> Int {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw FileError(path, errno: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(path, reason: "is not a regular file") }
        return Int(status.st_size)
    }

    public static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Makes the directory `path` and those above it.
    public static func makeDirectory(_ path: String, mode: UInt32 = 0o755) throws(FileError) {
        guard unsafe mkdir(path, mode) != 0, errno != EEXIST else { return }
        let reason = errno
        guard reason == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw FileError(path, errno: reason)
        }
        try makeDirectory(String(path[..<slash]), mode: mode)
        guard unsafe mkdir(path, mode) == 0 || errno == EEXIST else { throw FileError(path, errno: errno) }
    }

    private static func readSome(
        _ descriptor: Int32, into start: UnsafeMutableRawPointer, count: Int, name: String
    ) throws(FileError) -> Int {
        while true {
            let length = unsafe Glibc.read(descriptor, start, count)
            if length >= 0 { return length }
            guard errno == EINTR else { throw FileError(name, errno: errno) }
        }
    }
}

/// A file or stream that could not be read or written: which, and what the kernel said.
public struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    public let path: String
    public let reason: String

    fileprivate init(_ path: String, over limit: Int) {
        self.path = path
        self.reason = "holds more than the \(limit) bytes allowed here"
    }

    fileprivate init(_ path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    fileprivate init(_ path: String, errno: Int32) {
        self.path = path
        self.reason = unsafe String(cString: strerror(errno))
    }

    public var description: String { "\(path): \(reason)" }
}

/// An open descriptor, closed when it goes.
private struct FileDescriptor: ~Copyable {
    let number: Int32

    init(opening path: String, _ flags: Int32, mode: UInt32 = 0, name: String) throws(FileError) {
        let number = unsafe open(path, flags | O_CLOEXEC, mode)
        guard number >= 0 else { throw FileError(name, errno: errno) }
        self.number = number
    }

    deinit { close(number) }
}
