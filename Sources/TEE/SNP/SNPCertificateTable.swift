// SPDX-License-Identifier: Apache-2.0

/// The certificates a host gives its guests along with a report (GHCB specification, "SNP Extended Guest Request"): a list
/// of {GUID, offset, length}, ended by 24 zero bytes, then the data. All of it is the host's word, to be believed where a
/// signature holds.
public struct SNPCertificateTable: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        public let kind: Kind
        public let bytes: [UInt8]

        public init(kind: Kind, bytes: [UInt8]) {
            self.kind = kind
            self.bytes = bytes
        }
    }

    /// A GUID, 16 bytes in textual order. Those that nobody here knows are kept, and nobody asks for them.
    public struct Kind: Sendable, Hashable {
        public let guid: [UInt8]
        fileprivate init(guid: [UInt8]) { self.guid = guid }

        /// 63da758d-e664-4564-adc5-f4b93be8accd
        public static let vcek = Kind(guid: [
            0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd,
        ])
        /// a8074bc2-a25a-483e-aae6-39c045a0b8a1
        public static let vlek = Kind(guid: [
            0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1,
        ])
        /// 4ab7b379-bbac-4fe4-a02f-05aef327c782: ASK or ASVK
        public static let ask = Kind(guid: [
            0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82,
        ])
        /// c0b406a4-a803-4952-9743-3fb6014cd0ae
        public static let ark = Kind(guid: [
            0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae,
        ])
    }

    /// Limits on what a host may hand over; real tables have up to 5 entries and 16 KiB.
    public static let maximumByteCount = 64 << 10
    public static let maximumEntryCount = 32

    public let entries: [Entry]

    public init(entries: [Entry]) { self.entries = entries }

    public subscript(kind: Kind) -> [UInt8]? { entries.first { $0.kind == kind }?.bytes }
}

extension SNPCertificateTable {
    private static let entrySize = 24

    /// No bytes at all are an empty table. What follows the data is ignored: hosts pad to pages. Throws `.malformed` for a
    /// table over the limits or without its end, a GUID that occurs twice, and data outside of the bytes or inside the list.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        guard bytes.count <= Self.maximumByteCount else { throw Self.malformed("\(bytes.count) bytes are too many") }
        guard !bytes.isEmpty else {
            self.init(entries: [])
            return
        }
        let list = try Self.list(of: bytes)
        var entries: [Entry] = []
        for (index, item) in list.enumerated() {
            guard !entries.contains(where: { $0.kind == item.kind }) else {
                throw Self.malformed("entry \(index) has a GUID that was there before")
            }
            // Both are below 2^32: their sum fits an Int.
            let end = item.offset + item.count
            guard item.offset >= (list.count + 1) * Self.entrySize, end <= bytes.count else {
                throw Self.malformed("entry \(index) is \(item.count) bytes at \(item.offset) of \(bytes.count)")
            }
            entries.append(Entry(kind: item.kind, bytes: Array(bytes[item.offset..<end])))
        }
        self.init(entries: entries)
    }

    private struct Item {
        let kind: Kind
        let offset: Int
        let count: Int
    }

    private static func list(of bytes: [UInt8]) throws(EvidenceError) -> [Item] {
        var list: [Item] = []
        for start in stride(from: 0, to: bytes.count - entrySize + 1, by: entrySize) {
            let entry = bytes[start..<start + entrySize]
            if entry.allSatisfy({ $0 == 0 }) { return list }
            guard list.count < maximumEntryCount else { throw malformed("more than \(maximumEntryCount) entries") }
            list.append(
                Item(
                    kind: Kind(guid: Array(entry.prefix(16))), offset: integer(entry.dropFirst(16).prefix(4)),
                    count: integer(entry.suffix(4))))
        }
        throw malformed("the list has no end")
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// The table with its data in the order of ``entries``, without gaps. Entries must be within the limits.
    public var encoded: [UInt8] {
        var list: [UInt8] = []
        var data: [UInt8] = []
        let start = (entries.count + 1) * Self.entrySize
        for entry in entries {
            list += entry.kind.guid + Self.integer(start + data.count) + Self.integer(entry.bytes.count)
            data += entry.bytes
        }
        return list + [UInt8](repeating: 0, count: Self.entrySize) + data
    }

    private static func integer(_ value: Int) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func malformed(_ detail: String) -> EvidenceError {
        EvidenceError(.malformed, step: "certificate table", detail: detail)
    }
}
