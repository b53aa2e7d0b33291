// SPDX-License-Identifier: Apache-2.0

/// A firmware image of a confidential VM, an OVMF, with what it says of itself to the hypervisor: the table of GUIDed
/// structures that ends 32 bytes before the image does (edk2, OvmfPkg/ResetVector).
///
/// Whoever gives the image chooses every byte of it: offsets and sizes are checked before anything is read through them.
public struct Firmware: Sendable {
    /// Real ones have 2 to 8 MiB.
    public static let maximumSize = 64 << 20
    static let pageSize = 4096

    let contents: Contents
    /// Data of the table's entries. Empty where the image has no table, as one made for no confidential VM.
    let entries: [GUID: [UInt8]]

    /// Throws for an image over ``maximumSize``, without bytes, or with a table that does not hold together.
    public init(_ bytes: [UInt8]) throws(MeasurementError) { try self.init(.bytes(bytes)) }

    /// The image in a file, of which a piece at a time is held. The file is read again when it is measured.
    public init(path: String) throws { try self.init(.file(FilePart(whole: path))) }

    private init(_ contents: Contents) throws(MeasurementError) {
        guard (1...Self.maximumSize).contains(contents.count) else {
            throw Self.error("\(contents.count) bytes, not 1 to \(Self.maximumSize)")
        }
        self.contents = contents
        entries = try Self.table(in: contents)
    }

    var size: Int { contents.count }

    /// Where the hypervisor places its first byte: the image ends where 32-bit addresses do.
    var address: UInt64 { (1 << 32) - UInt64(size) }

    static func error(_ problem: String) -> MeasurementError { MeasurementError("firmware", problem) }
}

// MARK: - The table

extension Firmware {
    /// Below the reset vector and its neighbours.
    private static let tableEnd = 32
    /// u16 length of the entry with all that belongs to it, then its GUID. Both stand behind the entry's data.
    private static let trailer = 2 + GUID.size
    private static let footer = GUID("96b582de-1fb2-45f7-baea-a366c55a082d")
    private static let maximumTableSize = Int(UInt16.max)

    /// Read from its end: the last entry has no data, and a length that is the whole table's.
    private static func table(in contents: Contents) throws(MeasurementError) -> [GUID: [UInt8]] {
        let end = contents.count - tableEnd
        guard end >= trailer else { return [:] }
        let image = Image(bytes: try contents.read(end - min(end, maximumTableSize)..<end))
        return try table(endingWith: image)
    }

    private static func table(endingWith image: Image) throws(MeasurementError) -> [GUID: [UInt8]] {
        guard let last = entry(of: image, endingAt: image.bytes.count), last.guid == footer else { return [:] }
        let start = image.bytes.count - last.length
        guard start >= 0, last.length >= trailer else {
            throw error("its table of GUIDs has \(last.length) bytes, which the image does not have room for")
        }
        var entries: [GUID: [UInt8]] = [:]
        var end = image.bytes.count - trailer
        while end - start >= trailer {
            let distance = image.bytes.count + tableEnd - end
            guard let found = entry(of: image, endingAt: end), found.length >= trailer, found.length <= end - start,
                let data = image.slice(end - found.length, found.length - trailer)
            else { throw error("its table of GUIDs is broken \(distance) bytes before the end") }
            guard entries.updateValue(Array(data), forKey: found.guid) == nil else {
                throw error("its table of GUIDs names one twice, \(distance) bytes before the end")
            }
            end -= found.length
        }
        return entries
    }

    private static func entry(of image: Image, endingAt end: Int) -> (guid: GUID, length: Int)? {
        guard let length = image.integer(end - trailer, as: UInt16.self), let guid = image.slice(end - GUID.size, GUID.size)
        else { return nil }
        return (GUID(stored: guid), Int(length))
    }

    /// The u32 at `index` of an entry's data; nil where there is no such entry or it is too short.
    func word(_ index: Int, of guid: GUID) -> UInt32? {
        entries[guid].flatMap { Image(bytes: $0).integer(4 * index, as: UInt32.self) }
    }
}
