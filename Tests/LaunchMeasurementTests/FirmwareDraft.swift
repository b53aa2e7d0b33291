// SPDX-License-Identifier: Apache-2.0

/// Builds small images with the table and the metadata of an OVMF.
struct FirmwareDraft {
    struct Section {
        var address: UInt32
        var size: UInt32
        var type: UInt32
    }

    var sections: [Section] = []
    /// Data by the GUID's bytes as they are stored.
    var entries: [(guid: [UInt8], data: [UInt8])] = []
    var size = 4096

    static let footer = guid("96b582de1fb245f7baeaa366c55a082d")
    static let hashTable = guid("7255371f3a3b4b04927b1da6efa8d454")
    static let resetBlock = guid("00f771de1a7e4fcb890e68c77e2fb44e")
    static let sevMetadata = guid("dc886566984a4798a75e5585a7bf67cc")

    /// edk2's AmdSevX64: what it asks for, where its processors begin and where it looks for a kernel's hashes.
    static var amdSev: FirmwareDraft {
        var draft = FirmwareDraft()
        draft.sections = [
            Section(address: 0x800000, size: 0x9000, type: 1), Section(address: 0x80a000, size: 0x3000, type: 1),
            Section(address: 0x80d000, size: 0x1000, type: 2), Section(address: 0x80e000, size: 0x1000, type: 3),
            Section(address: 0x80f000, size: 0x1000, type: 4), Section(address: 0x810000, size: 0x1000, type: 0x10),
            Section(address: 0x811000, size: 0xf000, type: 1),
        ]
        draft.entries = [
            (resetBlock, word(0x80b004)), (hashTable, word(0x810c00) + word(0x400)),
            (sevMetadata, word(UInt32(draft.size))),
        ]
        return draft
    }

    /// The metadata stands at the image's beginning.
    var bytes: [UInt8] {
        let list = sections.flatMap { Self.word($0.address) + Self.word($0.size) + Self.word($0.type) }
        let metadata =
            Array("ASEV".utf8) + Self.word(UInt32(16 + list.count)) + Self.word(1)
            + Self.word(UInt32(sections.count)) + list
        var table = entries.flatMap { $0.data + Self.half(UInt16($0.data.count + 18)) + $0.guid }
        table += Self.half(UInt16(table.count + 18)) + Self.footer
        let padding = [UInt8](repeating: 0, count: size - metadata.count - table.count - 32)
        return metadata + padding + table + [UInt8](repeating: 0, count: 32)
    }

    static func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    static func half(_ value: UInt16) -> [UInt8] {
        [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)]
    }

    /// From a GUID's 32 digits to its 16 bytes as stored.
    static func guid(_ digits: String) -> [UInt8] {
        let digits = Array(digits)
        let bytes = stride(from: 0, to: 32, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
        return bytes[..<4].reversed() + bytes[4..<6].reversed() + bytes[6..<8].reversed() + bytes[8...]
    }
}
