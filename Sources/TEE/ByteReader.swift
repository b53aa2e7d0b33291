// SPDX-License-Identifier: Apache-2.0

/// Takes integers and runs of bytes off the front of foreign data. Every one of them is nil where there are not enough
/// bytes left.
struct ByteReader {
    private let bytes: [UInt8]
    private(set) var position: Int

    init(_ bytes: [UInt8], at position: Int = 0) {
        self.bytes = bytes
        self.position = min(position, bytes.count)
    }

    var count: Int { bytes.count - position }
    var rest: ArraySlice<UInt8> { bytes[position...] }

    mutating func bytes(_ count: Int) -> [UInt8]? {
        guard 0...self.count ~= count else { return nil }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    /// Little-endian.
    mutating func uint16() -> UInt16? { integer(2).map { UInt16(truncatingIfNeeded: $0) } }
    mutating func uint32() -> UInt32? { integer(4).map { UInt32(truncatingIfNeeded: $0) } }

    private mutating func integer(_ size: Int) -> UInt64? {
        guard count >= size else { return nil }
        defer { position += size }
        return bytes[position..<position + size].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
