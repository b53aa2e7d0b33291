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
        try steps().last?.digest ?? RunningDigest(.sha384).finish()
    }

    /// What is measured, in order; the last digest is the measurement.
    public func steps() throws(MeasurementError) -> [LaunchStep] {
        let hash = RunningDigest(.sha384)
        var steps: [LaunchStep] = []
        for (index, section) in try firmware.tdxSections().enumerated() where !section.isAddedLater {
            if addsPagesFirst || !section.isMeasured {
                for start in stride(from: 0, to: section.size, by: Firmware.pageSize) {
                    addPage(at: section.address + UInt64(start), to: hash)
                }
            }
            if section.isMeasured { try add(section, to: hash) }
            let part = "mrtd section \(index)\(section.isMeasured ? "" : ", its place")"
            steps.append(LaunchStep(part: part, address: section.address, size: section.size, digest: hash.soFar()))
        }
        return steps
    }

    /// The contents, and the pages themselves where they are not there yet.
    private func add(_ section: Firmware.TDXSection, to hash: RunningDigest) throws(MeasurementError) {
        var start = 0
        try unsafe firmware.contents.pages(of: section.contents) { page in
            unsafe add(page, at: section.address + UInt64(start), to: hash)
            start += Firmware.pageSize
        }
        let zeros = [UInt8](repeating: 0, count: Firmware.pageSize)
        while start < section.size {
            unsafe zeros.withUnsafeBytes { unsafe add($0, at: section.address + UInt64(start), to: hash) }
            start += Firmware.pageSize
        }
    }

    private func add(_ page: UnsafeRawBufferPointer, at address: UInt64, to hash: RunningDigest) {
        if !addsPagesFirst { addPage(at: address, to: hash) }
        unsafe addContents(of: page, at: address, to: hash)
    }

    private func addPage(at address: UInt64, to hash: RunningDigest) {
        hash.add(Self.record("MEM.PAGE.ADD", address))
    }

    private func addContents(of page: UnsafeRawBufferPointer, at address: UInt64, to hash: RunningDigest) {
        for start in stride(from: 0, to: page.count, by: Self.chunkSize) {
            hash.add(Self.record("MR.EXTEND", address + UInt64(start)))
            unsafe hash.add(UnsafeRawBufferPointer(rebasing: page[start..<start + Self.chunkSize]))
        }
    }

    /// The operation's name, and at byte 16 the address it is about.
    private static func record(_ operation: StaticString, _ address: UInt64) -> [UInt8] {
        var record = Array("\(operation)".utf8)
        record += [UInt8](repeating: 0, count: 16 - record.count) + address.littleEndianBytes
        return record + [UInt8](repeating: 0, count: recordSize - record.count)
    }
}
