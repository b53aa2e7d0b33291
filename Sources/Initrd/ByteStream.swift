// SPDX-License-Identifier: Apache-2.0
internal import FileIO

/// Bytes from front to back, a piece of which is held at a time.
final class ByteStream {
    /// Bytes taken so far.
    private(set) var offset = 0
    private let path: String
    private let next: () throws(InitrdError) -> [UInt8]
    private var piece: [UInt8] = []
    private var position = 0

    /// `next` gives pieces of any length, and an empty one only at the end.
    init(_ path: String, next: @escaping () throws(InitrdError) -> [UInt8]) {
        self.path = path
        self.next = next
    }

    /// A file, or a part of one.
    convenience init(file path: String, part: Range<Int>? = nil) {
        let end = part?.upperBound ?? Int.max
        var offset = part?.lowerBound ?? 0
        self.init(path) { () throws(InitrdError) in
            var piece: [UInt8] = []
            let length = min(1 << 20, end - offset)
            do throws(FileError) {
                try unsafe FileIO.read(path, from: offset, count: length) { unsafe piece.append(contentsOf: $0) }
            } catch {
                throw InitrdError(path: path, reason: error.reason)
            }
            offset += piece.count
            return piece
        }
    }

    /// What is held, at least one byte unless this is the end.
    func held() throws(InitrdError) -> ArraySlice<UInt8> {
        if position == piece.count { (piece, position) = (try next(), 0) }
        return piece[position...]
    }

    /// The next `count` bytes, which stay; fewer where the end comes first.
    func peek(_ count: Int) throws(InitrdError) -> ArraySlice<UInt8> {
        while piece.count - position < count {
            let more = try next()
            if more.isEmpty { break }
            (piece, position) = (Array(piece[position...]) + more, 0)
        }
        return piece[position...].prefix(count)
    }

    /// The next `count` bytes, which the caller has bounded.
    func take(_ count: Int) throws(InitrdError) -> [UInt8] {
        var bytes: [UInt8] = []
        try pass(count) { bytes += $0 }
        return bytes
    }

    func skip(_ count: Int) throws(InitrdError) { try pass(count) { _ in } }

    /// Up to what comes after a run of zeros; false where that is the end.
    func skipZeros() throws(InitrdError) -> Bool {
        while true {
            let held = try held()
            if held.isEmpty { return false }
            let zeros = held.prefix { $0 == 0 }.count
            advance(zeros)
            if zeros < held.count { return true }
        }
    }

    private func pass(_ count: Int, _ body: (ArraySlice<UInt8>) -> Void) throws(InitrdError) {
        var rest = count
        while rest > 0 {
            let part = try held().prefix(rest)
            guard !part.isEmpty else { throw InitrdError(path: path, reason: "it is cut short") }
            body(part)
            advance(part.count)
            rest -= part.count
        }
    }

    private func advance(_ count: Int) {
        position += count
        offset += count
    }
}
