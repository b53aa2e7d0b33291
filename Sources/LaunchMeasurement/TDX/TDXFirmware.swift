// SPDX-License-Identifier: Apache-2.0

/// What a TDVF tells a hypervisor that starts it under TDX (Intel TDX Virtual Firmware Design Guide, "TDVF descriptor").
extension Firmware {
    private static let tdxMetadata = GUID("e47a6535-984a-4798-865e-4685a7bf8ec2")
    private static let maximumTDXSections = 64

    /// A range of memory that the hypervisor prepares.
    package struct TDXSection: Sendable, Equatable {
        /// Where its contents stand in the image; empty where it has none.
        package let contents: Range<Int>
        package let address: UInt64
        /// Bytes of memory, a multiple of 4096; what the contents do not fill is zero.
        package let size: Int
        /// Whether its contents go into MRTD, not only its place.
        let isMeasured: Bool
        /// Whether it is added later, by the guest itself, and so is no part of MRTD.
        let isAddedLater: Bool
    }

    /// Throws where the image has none or they do not hold together.
    package func tdxSections() throws(MeasurementError) -> [TDXSection] {
        guard let distance = word(0, of: Self.tdxMetadata) else {
            throw Self.error("it has no TDX metadata, so it is not one for TDX")
        }
        let metadata = try metadata(at: distance, size: 16 + 32 * Self.maximumTDXSections)
        guard metadata.slice(0, 4)?.elementsEqual("TDVF".utf8) == true,
            let version = metadata.integer(8, as: UInt32.self), let count = metadata.integer(12, as: UInt32.self)
        else { throw Self.error("its TDX metadata is not where its table says, \(distance) bytes before the end") }
        guard version == 1 else { throw Self.error("its TDX metadata is of version \(version), not 1") }
        guard count <= Self.maximumTDXSections else { throw Self.error("its TDX metadata has \(count) sections") }
        var sections: [TDXSection] = []
        for index in 0..<Int(count) { sections.append(try tdxSection(index, of: metadata, at: 16 + 32 * index)) }
        guard sections.reduce(0, { $0 + $1.size }) <= Self.maximumSectionBytes else {
            throw Self.error("its sections have more than \(Self.maximumSectionBytes) bytes")
        }
        return sections
    }

    /// {u32 offset, u32 size in the image, u64 address, u64 size in memory, u32 type, u32 attributes}
    private func tdxSection(_ index: Int, of metadata: Image, at start: Int) throws(MeasurementError) -> TDXSection {
        guard let offset = metadata.integer(start, as: UInt32.self),
            let stored = metadata.integer(start + 4, as: UInt32.self),
            let address = metadata.integer(start + 8, as: UInt64.self),
            let size = metadata.integer(start + 16, as: UInt64.self),
            let attributes = metadata.integer(start + 28, as: UInt32.self)
        else { throw Self.error("section \(index) of its TDX metadata lies behind the image's end") }
        guard size <= Self.maximumSectionBytes, Int(size) % Self.pageSize == 0, address % UInt64(Self.pageSize) == 0,
            address <= UInt64.max - size, stored <= size, Int(offset) + Int(stored) <= self.size
        else {
            throw Self.error("section \(index) of its TDX metadata is not one of whole pages with contents in the image")
        }
        return TDXSection(
            contents: Int(offset)..<Int(offset) + Int(stored), address: address, size: Int(size),
            isMeasured: attributes & 1 != 0, isAddedLater: attributes & 2 != 0)
    }
}
