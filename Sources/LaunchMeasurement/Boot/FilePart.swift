// SPDX-License-Identifier: Apache-2.0
internal import FileIO

/// Consecutive bytes of a file, which are read when they are hashed and never held as a whole.
struct FilePart: Sendable, Equatable {
    let path: String
    let offset: Int
    let count: Int

    init(path: String, offset: Int, count: Int) {
        self.path = path
        self.offset = offset
        self.count = count
    }

    /// The whole file.
    init(whole path: String) throws(FileError) {
        self.init(path: path, offset: 0, count: try FileIO.size(path))
    }

    /// From `start` to before `end`, counted from this part's first byte; both lie in it.
    func part(_ start: Int, _ end: Int) -> FilePart { FilePart(path: path, offset: offset + start, count: end - start) }

    func prefix(_ length: Int) -> FilePart { part(0, min(length, count)) }

    /// All of them, piece by piece; each but the last has a multiple of 4096. Throws where the file has fewer.
    func read(pieces body: (UnsafeRawBufferPointer) -> Void) throws {
        var read = 0
        unsafe try FileIO.read(path, from: offset, count: count) {
            unsafe body($0)
            read += $0.count
        }
        guard read == count else { throw MeasurementError(path, "it was cut short while it was read") }
    }

    /// Adds all of them.
    func add(to hash: RunningDigest) throws { try unsafe read { unsafe hash.add($0) } }

    /// All of them, for small ones. Throws where there are more than `limit` or the file has fewer.
    func bytes(limit: Int) throws -> [UInt8] {
        guard count <= limit else {
            throw MeasurementError(path, "a part of \(count) bytes is larger than the \(limit) allowed")
        }
        var bytes: [UInt8] = []
        try unsafe read { unsafe bytes += $0 }
        return bytes
    }

    func digest(_ algorithm: RunningDigest.Algorithm) throws -> [UInt8] {
        let hash = RunningDigest(algorithm)
        try add(to: hash)
        return hash.finish()
    }
}
