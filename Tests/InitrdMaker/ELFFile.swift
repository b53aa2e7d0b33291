// SPDX-License-Identifier: Apache-2.0

/// The least that a program or library can be: headers, and what it needs.
package enum ELFFile {
    package static func make(needing names: [String] = [], searching folders: String? = nil, interpreter: String? = nil)
        -> [UInt8]
    {
        var strings: [UInt8] = [0]
        func add(_ text: String) -> UInt64 {
            defer { strings += Array(text.utf8) + [0] }
            return UInt64(strings.count)
        }
        var entries = names.map { (UInt64(1), add($0)) }
        if let folders { entries.append((29, add(folders))) }
        let loader = interpreter.map(add)
        let segments = interpreter == nil ? 2 : 3
        let start = UInt64(64 + 56 * segments)
        let dynamicSize = UInt64(16 * (entries.count + 2))
        let table = start + dynamicSize
        entries += [(5, base + table), (0, 0)]
        let size = table + UInt64(strings.count)
        var file = header(segments)
        file += segment(1, offset: 0, address: base, size: size)
        file += segment(2, offset: start, address: base + start, size: dynamicSize)
        if let loader { file += segment(3, offset: table + loader, address: base + table + loader, size: 1) }
        for (tag, value) in entries { file += little(tag, 8) + little(value, 8) }
        return file + strings
    }

    /// Where it would be loaded.
    private static let base: UInt64 = 0x40_0000

    private static func header(_ segments: Int) -> [UInt8] {
        [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0] + [UInt8](repeating: 0, count: 8) + little(3, 2) + little(62, 2) + little(1, 4)
            + little(0, 8) + little(64, 8) + little(0, 8) + little(0, 4) + little(64, 2) + little(56, 2)
            + little(UInt64(segments), 2) + little(64, 2) + little(0, 2) + little(0, 2)
    }

    private static func segment(_ type: UInt64, offset: UInt64, address: UInt64, size: UInt64) -> [UInt8] {
        little(type, 4) + little(4, 4) + little(offset, 8) + little(address, 8) + little(address, 8) + little(size, 8)
            + little(size, 8) + little(8, 8)
    }

    private static func little(_ value: UInt64, _ size: Int) -> [UInt8] {
        (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }
}
