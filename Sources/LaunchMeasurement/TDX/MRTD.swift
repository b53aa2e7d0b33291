// SPDX-License-Identifier: Apache-2.0

/// The build-time measurement of a TD: the pages that the hypervisor adds before the first instruction (Intel TDX Module
/// ABI, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND).
public struct MRTD: Sendable {
    private let firmware: Firmware

    /// Whether a section's pages are all added before the first of them is measured, as some versions of QEMU do.
    private let addsPagesFirst: Bool

    private static let chunkSize = 256
    private static let recordSize = 128

    public init(firmware: Firmware, addsPagesFirst: Bool = false) {
        self.firmware = firmware
        self.addsPagesFirst = addsPagesFirst
    }

    /// 48 bytes.
    public func measurement() throws(MeasurementError) -> [UInt8] {
        let hash = RunningDigest(.sha384)
        for section in try firmware.tdxSections() where !section.isAddedLater {
            let pages = stride(from: 0, to: section.size, by: Firmware.pageSize)
            if addsPagesFirst {
                for page in pages { addPage(at: section.address + UInt64(page), to: hash) }
                for page in pages where section.isMeasured { addContents(of: section, page, to: hash) }
            } else {
                for page in pages {
                    addPage(at: section.address + UInt64(page), to: hash)
                    if section.isMeasured { addContents(of: section, page, to: hash) }
                }
            }
        }
        return hash.finish()
    }

    private func addPage(at address: UInt64, to hash: RunningDigest) {
        hash.add(Self.record("MEM.PAGE.ADD", address))
    }

    private func addContents(of section: Firmware.TDXSection, _ page: Int, to hash: RunningDigest) {
        for start in stride(from: page, to: page + Firmware.pageSize, by: Self.chunkSize) {
            hash.add(Self.record("MR.EXTEND", section.address + UInt64(start)))
            hash.add(chunk(of: section, from: start))
        }
    }

    private func chunk(of section: Firmware.TDXSection, from start: Int) -> [UInt8] {
        let stored = section.contents.dropFirst(start).prefix(Self.chunkSize)
        return firmware.image.bytes[stored] + [UInt8](repeating: 0, count: Self.chunkSize - stored.count)
    }

    /// The operation's name, and at byte 16 the address it is about.
    private static func record(_ operation: StaticString, _ address: UInt64) -> [UInt8] {
        var record = Array("\(operation)".utf8)
        record += [UInt8](repeating: 0, count: 16 - record.count) + address.littleEndianBytes
        return record + [UInt8](repeating: 0, count: recordSize - record.count)
    }
}
