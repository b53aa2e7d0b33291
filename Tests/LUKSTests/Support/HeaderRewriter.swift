// SPDX-License-Identifier: Apache-2.0
import LUKS
import PinKit
import Testing

extension DiskImage {
    /// What a host can do to a header without any key: changes the metadata, in both copies or only in the second, and mends
    /// their checksums. `sequence` is the new number of what was written.
    func rewriteHeader(
        onlySecond: Bool = false, sequence: UInt8? = nil, _ change: (inout JSON) throws -> Void
    ) throws {
        let size = areaSize(try bytes(0..<16))
        var metadata = try JSON(parsing: Array(try bytes(4096..<size).prefix { $0 != 0 }))
        try change(&metadata)
        let text = Array(metadata.canonical.utf8)
        try #require(text.count < size - 4096)
        for position in onlySecond ? [size] : [0, size] {
            var area = Array(try bytes(position..<position + 4096)) + text
            area += [UInt8](repeating: 0, count: size - area.count)
            if let sequence { area[23] = sequence }
            area.replaceSubrange(448..<512, with: [UInt8](repeating: 0, count: 64))
            area.replaceSubrange(448..<480, with: Digest.sha256(area))
            try write(area, at: position)
        }
    }

    private func areaSize(_ start: [UInt8]) -> Int { start[8..<16].reduce(0) { $0 << 8 | Int($1) } }
}

extension JSON {
    /// Replaces what stands at `path`, which must be inside an object at each step; nil removes it.
    mutating func set(_ path: String..., to value: JSON?) { set(path[...], to: value) }
    mutating func set(_ path: [String], to value: JSON?) { set(path[...], to: value) }

    private mutating func set(_ path: ArraySlice<String>, to value: JSON?) {
        guard let name = path.first, var members = object else { return }
        var inner = members[name] ?? [:]
        if path.count == 1 {
            members[name] = value
        } else {
            inner.set(path.dropFirst(), to: value)
            members[name] = inner
        }
        self = .object(members)
    }
}
