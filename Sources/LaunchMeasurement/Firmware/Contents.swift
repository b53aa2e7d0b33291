// SPDX-License-Identifier: Apache-2.0
internal import FileIO

/// The bytes of a firmware image: in memory, or in a file that is read when they are needed and never held as a whole.
enum Contents: Sendable {
    case bytes([UInt8])
    case file(FilePart)

    var count: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .file(let file): file.count
        }
    }

    /// Those of `range`, as far as there are any; for small ranges.
    func read(_ range: Range<Int>) throws(MeasurementError) -> [UInt8] {
        let range = range.clamped(to: 0..<count)
        switch self {
        case .bytes(let bytes): return Array(bytes[range])
        case .file(let file):
            return try Self.reading(file) { try file.part(range.lowerBound, range.upperBound).bytes(limit: range.count) }
        }
    }

    /// Adds all of them.
    func add(to hash: RunningDigest) throws(MeasurementError) {
        switch self {
        case .bytes(let bytes): hash.add(bytes)
        case .file(let file): try Self.reading(file) { try file.add(to: hash) }
        }
    }

    /// Those of `range`, which lie in the image, in pages of ``Firmware/pageSize`` bytes from its first byte on. What the last
    /// page lacks is zero.
    func pages(of range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Void) throws(MeasurementError) {
        switch self {
        case .bytes(let bytes): unsafe bytes[range].withUnsafeBytes { unsafe Self.pages(of: $0, body) }
        case .file(let file):
            let part = file.part(range.lowerBound, range.upperBound)
            try Self.reading(file) { try unsafe part.read { unsafe Self.pages(of: $0, body) } }
        }
    }

    private static func pages(of piece: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        for start in stride(from: 0, to: piece.count, by: Firmware.pageSize) {
            let page = unsafe UnsafeRawBufferPointer(rebasing: piece[start..<min(start + Firmware.pageSize, piece.count)])
            if page.count == Firmware.pageSize {
                unsafe body(page)
            } else {
                let padding = [UInt8](repeating: 0, count: Firmware.pageSize - page.count)
                unsafe (Array(page) + padding).withUnsafeBytes { unsafe body($0) }
            }
        }
    }

    private static func reading<Value>(_ file: FilePart, _ body: () throws -> Value) throws(MeasurementError) -> Value {
        do {
            return try body()
        } catch let error as MeasurementError {
            throw error
        } catch {
            throw MeasurementError(file.path, (error as? FileError)?.reason ?? "\(error)")
        }
    }
}
