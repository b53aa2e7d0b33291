// SPDX-License-Identifier: Apache-2.0

/// The first bytes of a volume: is it LUKS2, and how large are its two metadata areas?
///
/// LUKS2 on-disk format §2.1: magic, version (16 bit, big-endian), size of one binary header with its JSON area (64 bit,
/// big-endian). The second copy, with another magic, stands right behind the first.
struct BinaryHeader {
    /// Size of one of the two areas: a power of two from 16 KiB to 4 MiB.
    let areaSize: Int

    /// The largest that LUKS2 itself knows, and the most that is ever read for one area.
    static let maximumAreaSize = 4 << 20
    static let minimumAreaSize = 16 << 10

    static let magic: [UInt8] = [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe]
    static let secondMagic: [UInt8] = [0x53, 0x4b, 0x55, 0x4c, 0xba, 0xbe]

    init(of volume: borrowing VolumeFile) throws(LUKSError) {
        do throws(LUKSError) {
            let start = try volume.read(16, at: 0)
            if start.starts(with: BinaryHeader.magic) {
                self.areaSize = try BinaryHeader.areaSize(start)
            } else if let size = try BinaryHeader.sizeOfSecond(volume) {
                self.areaSize = size
            } else {
                throw BinaryHeader.foreign(start)
            }
        } catch {
            throw error.place.isEmpty ? error.at(volume.path) : error
        }
    }

    private static func areaSize(_ start: [UInt8]) throws(LUKSError) -> Int {
        guard start.count == 16 else { throw LUKSError(.notLUKS2, detail: "it ends inside the header") }
        let version = number(start[6..<8])
        guard version == 2 else {
            throw version == 1
                ? LUKSError(.notLUKS2, detail: "a LUKS1 volume; run: cryptsetup convert --type luks2 DEVICE")
                : LUKSError(.notLUKS2, detail: "a LUKS volume of unknown version \(version)")
        }
        let size = number(start[8..<16])
        guard size <= UInt64(maximumAreaSize) else {
            throw LUKSError(
                .refused, step: "header", detail: "metadata size is \(size) bytes, more than the \(maximumAreaSize) allowed")
        }
        guard size >= UInt64(minimumAreaSize), size.nonzeroBitCount == 1 else {
            throw LUKSError(.malformed, step: "header", detail: "metadata size is \(size) bytes, not one that LUKS2 knows")
        }
        return Int(size)
    }

    /// Where the first copy is torn the second still says where it stands: its offset is the size of the first.
    private static func sizeOfSecond(_ volume: borrowing VolumeFile) throws(LUKSError) -> Int? {
        var size = minimumAreaSize
        while size <= maximumAreaSize {
            if try volume.read(8, at: size) == secondMagic + [0, 2] { return size }
            size *= 2
        }
        return nil
    }

    private static func foreign(_ start: [UInt8]) -> LUKSError {
        guard start.starts(with: [0x51, 0x46, 0x49, 0xfb]) else {
            return LUKSError(.notLUKS2, detail: start.isEmpty ? "it is empty" : "no LUKS header at its start")
        }
        return LUKSError(
            .notLUKS2,
            detail: "a qcow2 image; convert it (qemu-img convert -O raw) or attach it (qemu-nbd -c /dev/nbd0) and use that")
    }

    /// Big-endian, at most eight bytes.
    static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
}
