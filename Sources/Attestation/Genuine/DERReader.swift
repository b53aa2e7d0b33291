// SPDX-License-Identifier: Apache-2.0

/// Reads DER values (ITU-T X.690) one after the other: tags of one byte, lengths in their shortest form up to 65535. Gives nil
/// for anything else, and where there are no bytes left.
struct DERReader {
    private var rest: ArraySlice<UInt8>

    static let integer: UInt8 = 0x02
    static let octetString: UInt8 = 0x04
    static let objectIdentifier: UInt8 = 0x06
    static let sequence: UInt8 = 0x30

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    /// The next value's tag and contents.
    mutating func next() -> (tag: UInt8, contents: [UInt8])? {
        guard let tag = rest.popFirst(), tag & 0x1f != 0x1f, let count = length(), count <= rest.count else { return nil }
        defer { rest.removeFirst(count) }
        return (tag, Array(rest.prefix(count)))
    }

    /// The contents of the next value, which must have that tag.
    mutating func next(_ tag: UInt8) -> [UInt8]? {
        guard let value = next(), value.tag == tag else { return nil }
        return value.contents
    }

    /// The contents of an INTEGER from 0 to `maximum`, which is at most 2^31.
    static func integer(_ contents: [UInt8], upTo maximum: Int) -> Int? {
        guard let first = contents.first, first < 0x80, contents.count <= 5 else { return nil }
        // The shortest form: a zero stands in front only of a byte that would look like a sign.
        guard first != 0 || contents.count == 1 || contents[1] >= 0x80 else { return nil }
        let value = contents.reduce(0) { $0 << 8 | Int($1) }
        return value <= maximum ? value : nil
    }

    private mutating func length() -> Int? {
        guard let first = rest.popFirst() else { return nil }
        switch first {
        case 0..<0x80: return Int(first)
        case 0x81:
            guard let low = rest.popFirst(), low >= 0x80 else { return nil }
            return Int(low)
        case 0x82:
            guard let high = rest.popFirst(), let low = rest.popFirst(), high > 0 else { return nil }
            return Int(high) << 8 | Int(low)
        default: return nil
        }
    }
}
