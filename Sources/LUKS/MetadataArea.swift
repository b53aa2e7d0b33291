// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// One of the two copies of a volume's metadata, as it stands on the disk and with the right checksum.
///
/// LUKS2 on-disk format §2.1: a binary header of 4096 bytes, and JSON with zeros behind it.
struct MetadataArea {
    /// The higher one counts; both are equal unless a write was cut off.
    let sequence: UInt64
    let uuid: String
    let json: JSON

    private static let binarySize = 4096
    private static let checksum = 448..<512

    /// nil for one that is damaged. `bytes` are those from `offset` on, and as many as the volume has of an area.
    init?(_ bytes: ArraySlice<UInt8>, at offset: Int, areaSize: Int) {
        let area = Array(bytes)
        guard area.count == areaSize, area.starts(with: offset == 0 ? BinaryHeader.magic : BinaryHeader.secondMagic),
            BinaryHeader.number(area[6..<8]) == 2, BinaryHeader.number(area[8..<16]) == UInt64(areaSize),
            BinaryHeader.number(area[256..<264]) == UInt64(offset), MetadataArea.isIntact(area)
        else { return nil }
        let text = area[MetadataArea.binarySize...].prefix { $0 != 0 }
        let rest = area[text.endIndex...]
        guard rest.allSatisfy({ $0 == 0 }), let json = try? JSON(parsing: Array(text), limit: areaSize) else { return nil }
        self.sequence = BinaryHeader.number(area[16..<24])
        self.uuid = MetadataArea.text(area[168..<208])
        self.json = json
    }

    /// The checksum is over the whole area, with zeros in its own place. `sha256` is the only one that is in use.
    private static func isIntact(_ area: [UInt8]) -> Bool {
        guard text(area[72..<104]) == "sha256" else { return false }
        var covered = area
        covered.replaceSubrange(checksum, with: [UInt8](repeating: 0, count: checksum.count))
        return area[checksum].starts(with: Digest.checksum(covered))
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }
}

extension Header {
    /// The header of `path` for who only looks at it: validated as in a ``HeaderCopy``, but without libcryptsetup, which takes
    /// longer to load than all the rest. Who opens or changes the volume makes a copy, and libcryptsetup judges that too.
    package init(reading path: String) throws(LUKSError) { try self.init(reading: VolumeFile(path)) }

    init(reading volume: borrowing VolumeFile) throws(LUKSError) {
        let path = volume.path
        let areaSize = try BinaryHeader(of: volume).areaSize
        let bytes = try volume.read(2 * areaSize, at: 0)
        guard bytes.count == 2 * areaSize else {
            throw LUKSError(.malformed, place: path, step: "read the header", detail: "the volume ends inside it")
        }
        let first = MetadataArea(bytes.prefix(areaSize), at: 0, areaSize: areaSize)
        let second = MetadataArea(bytes.dropFirst(areaSize), at: areaSize, areaSize: areaSize)
        guard let current = MetadataArea.newer(first, second) else {
            throw LUKSError(
                .malformed, place: path, step: "read the header",
                detail: "both copies are damaged, or break the rules of LUKS2")
        }
        do throws(LUKSError) {
            try self.init(metadata: current.json, uuid: current.uuid, areaSize: areaSize)
        } catch {
            throw error.at(path)
        }
    }
}

extension MetadataArea {
    /// LUKS2's own rule for which of two copies counts.
    static func newer(_ first: MetadataArea?, _ second: MetadataArea?) -> MetadataArea? {
        guard let first, let second else { return first ?? second }
        return second.sequence > first.sequence ? second : first
    }
}
