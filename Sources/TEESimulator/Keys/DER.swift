// SPDX-License-Identifier: Apache-2.0

/// As much of DER as the extensions of certificates take: each function gives one whole element.
enum DER {
    static func sequence(_ elements: [UInt8]...) -> [UInt8] { sequence(of: elements) }

    static func sequence(of elements: [[UInt8]]) -> [UInt8] { element(0x30, elements.flatMap(\.self)) }

    static func boolean(_ value: Bool) -> [UInt8] { element(0x01, [value ? 0xff : 0]) }

    static func enumerated(_ value: UInt8) -> [UInt8] { element(0x0a, [value]) }

    static func octets(_ content: [UInt8]) -> [UInt8] { element(0x04, content) }

    /// A leading zero keeps the value positive.
    static func integer(_ value: UInt16) -> [UInt8] {
        let bytes = [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)].drop { $0 == 0 }
        return element(0x02, (bytes.first ?? 0x80) < 0x80 ? Array(bytes) : [0] + bytes)
    }

    /// Of ASCII characters.
    static func ia5(_ text: String) -> [UInt8] { element(0x16, Array(text.utf8)) }

    /// From dotted form, with at least two numbers.
    static func identifier(_ text: String) -> [UInt8] {
        let numbers = text.split(separator: ".").compactMap { UInt32($0) }
        guard numbers.count >= 2 else { return element(0x06, []) }
        return element(0x06, numbers.dropFirst(2).reduce(base128(numbers[0] * 40 + numbers[1])) { $0 + base128($1) })
    }

    private static func base128(_ number: UInt32) -> [UInt8] {
        var bytes = [UInt8(truncatingIfNeeded: number & 0x7f)]
        var rest = number >> 7
        while rest > 0 {
            bytes.insert(UInt8(truncatingIfNeeded: rest & 0x7f) | 0x80, at: 0)
            rest >>= 7
        }
        return bytes
    }

    /// Of at most 65535 bytes.
    private static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let low = UInt8(truncatingIfNeeded: content.count)
        switch content.count {
        case ..<0x80: return [tag, low] + content
        case ..<0x100: return [tag, 0x81, low] + content
        default: return [tag, 0x82, UInt8(truncatingIfNeeded: content.count >> 8), low] + content
        }
    }
}
