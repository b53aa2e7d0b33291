// SPDX-License-Identifier: Apache-2.0

/// Bytes of a file that anybody may have made: each read says whether the file has what is asked for.
struct Image: Sendable {
    let bytes: [UInt8]

    /// The `count` bytes from `offset` on; nil where the file does not have them all.
    func slice(_ offset: Int, _ count: Int) -> ArraySlice<UInt8>? {
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else { return nil }
        return bytes[offset..<offset + count]
    }

    /// Little-endian, of the type's width.
    func integer<Value: FixedWidthInteger & UnsignedInteger>(_ offset: Int, as type: Value.Type) -> Value? {
        slice(offset, MemoryLayout<Value>.size)?.littleEndian(as: type)
    }
}

extension ArraySlice<UInt8> {
    /// The whole of it, which must not be wider than the type.
    func littleEndian<Value: FixedWidthInteger & UnsignedInteger>(as type: Value.Type) -> Value {
        reversed().reduce(0) { $0 << 8 | Value($1) }
    }
}

extension FixedWidthInteger {
    /// Its bytes, least significant first.
    var littleEndianBytes: [UInt8] { (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) } }
}
