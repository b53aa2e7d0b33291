// SPDX-License-Identifier: Apache-2.0

/// What a program or library needs to be run: of a 64-bit little-endian ELF file (System V ABI, chapters 4 and 5).
package struct ELF: Sendable, Equatable {
    /// Bytes of a file that is looked into.
    package static let maximumFile = 64 << 20
    private static let maximumHeaders = 128
    private static let maximumEntries = 1024
    private static let maximumString = 4096

    /// The program that loads it; nil in a library.
    package let interpreter: String?
    /// Names of libraries.
    package let needed: [String]
    /// Directories to look for them in before all others.
    package let searched: [String]

    /// nil for a file of another kind, and for one that is broken.
    package init?(_ file: [UInt8]) {
        let file = LittleEndian(file)
        guard file.slice(0, 6)?.elementsEqual([0x7f, 0x45, 0x4c, 0x46, 2, 1]) == true,
            let table = file.integer(32, 8), let size = file.integer(54, 2), let count = file.integer(56, 2), size >= 56,
            count <= Self.maximumHeaders
        else { return nil }
        var segments: [Segment] = []
        for index in 0..<count {
            guard let segment = Segment(file, at: table, size * index) else { return nil }
            segments.append(segment)
        }
        interpreter = segments.first { $0.type == 3 }.flatMap { file.string($0.offset, limit: Self.maximumString) }
        guard let dynamic = segments.first(where: { $0.type == 2 }) else {
            (needed, searched) = ([], [])
            return
        }
        let entries = Self.entries(file, dynamic)
        guard let address = entries.first(where: { $0.tag == 5 })?.value,
            let strings = segments.first(where: { $0.type == 1 && $0.holds(address) })?.place(of: address)
        else { return nil }
        func texts(_ tag: Int) -> [String] {
            entries.filter { $0.tag == tag }.compactMap { entry in
                let (place, isTooFar) = strings.addingReportingOverflow(entry.value)
                return isTooFar ? nil : file.string(place, limit: Self.maximumString)
            }
        }
        needed = texts(1)
        // DT_RPATH and DT_RUNPATH.
        searched = (texts(15) + texts(29)).flatMap { $0.split(separator: ":").map(String.init) }
    }

    private static func entries(_ file: LittleEndian, _ dynamic: Segment) -> [(tag: Int, value: Int)] {
        var entries: [(tag: Int, value: Int)] = []
        for index in 0..<min(dynamic.size / 16, maximumEntries) {
            let (at, isTooFar) = dynamic.offset.addingReportingOverflow(16 * index)
            guard !isTooFar, let tag = file.integer(at, 8), tag != 0, let value = file.integer(at + 8, 8) else { break }
            entries.append((tag, value))
        }
        return entries
    }
}

/// A part of the file that is loaded, or that says how.
private struct Segment {
    let type: Int
    let offset: Int
    let address: Int
    let size: Int

    init?(_ file: LittleEndian, at table: Int, _ distance: Int) {
        let (at, isTooFar) = table.addingReportingOverflow(distance)
        guard !isTooFar, file.slice(at, 56) != nil, let type = file.integer(at, 4), let offset = file.integer(at + 8, 8),
            let address = file.integer(at + 16, 8), let size = file.integer(at + 32, 8)
        else { return nil }
        (self.type, self.offset, self.address, self.size) = (type, offset, address, size)
    }

    func holds(_ address: Int) -> Bool { address >= self.address && address - self.address < size }

    /// In the file; nil where there can be none.
    func place(of address: Int) -> Int? {
        let (place, isTooFar) = offset.addingReportingOverflow(address - self.address)
        return isTooFar ? nil : place
    }
}

/// Bytes that anybody may have made: each read says whether they have what is asked for.
private struct LittleEndian {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    func slice(_ offset: Int, _ count: Int) -> ArraySlice<UInt8>? {
        guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else { return nil }
        return bytes[offset..<offset + count]
    }

    /// nil also for one of 8 bytes that is too large.
    func integer(_ offset: Int, _ size: Int) -> Int? {
        slice(offset, size).flatMap { Int(exactly: $0.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
    }

    /// Up to its zero byte, which must come before `limit` bytes.
    func string(_ offset: Int, limit: Int) -> String? {
        guard offset >= 0, offset < bytes.count else { return nil }
        let text = bytes[offset...].prefix(limit).prefix { $0 != 0 }
        guard text.endIndex < bytes.count, text.count < limit else { return nil }
        return String(decoding: text, as: UTF8.self)
    }
}
