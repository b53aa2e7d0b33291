// SPDX-License-Identifier: Apache-2.0

/// What an OVMF tells a hypervisor that starts it under SEV, SEV-ES or SEV-SNP (edk2, OvmfPkg/ResetVector and
/// OvmfPkg/Include/WorkArea.h).
extension Firmware {
    private static let hashTable = GUID("7255371f-3a3b-4b04-927b-1da6efa8d454")
    private static let resetBlock = GUID("00f771de-1a7e-4fcb-890e-68c77e2fb44e")
    private static let sevMetadata = GUID("dc886566-984a-4798-a75e-5585a7bf67cc")
    private static let svsmInfo = GUID("a789a612-0597-4c4b-a49f-cbb1fe9d1ddd")

    /// Where the hypervisor puts the hashes of kernel, initrd and command line; nil where the firmware does not look at them.
    var kernelHashesAddress: UInt32? {
        guard let base = word(0, of: Self.hashTable), base != 0 else { return nil }
        return base
    }

    /// Where processors other than the first begin under SEV-ES and SEV-SNP.
    var resetAddress: UInt32? { word(0, of: Self.resetBlock) }

    /// Where an SVSM begins, counted from its own start.
    var svsmEntryOffset: UInt32? { word(0, of: Self.svsmInfo) }

    /// Memory that SEV-SNP firmware wants to find prepared, in the order in which it is measured.
    package struct Section: Sendable, Equatable {
        package enum Kind: UInt32, Sendable {
            /// Memory the firmware uses before it can validate any.
            case memory = 1
            case secrets = 2
            case cpuid = 3
            /// The calling area of an SVSM.
            case svsmArea = 4
            case kernelHashes = 0x10
        }

        package let kind: Kind
        package let address: UInt64
        /// Bytes, a multiple of 4096.
        package let size: Int
    }

    /// A firmware that asks for more than this is refused: each page costs a step of the digest. Real ones ask for 2 MiB.
    package static let maximumSectionBytes = 256 << 20
    private static let maximumSections = 64

    /// Whether it has metadata for SEV-SNP. QEMU refuses to launch one without.
    public var hasSEVMetadata: Bool { entries[Self.sevMetadata] != nil }

    /// None where the image has no metadata. Throws where that does not hold together.
    package func sections() throws(MeasurementError) -> [Section] {
        guard hasSEVMetadata else { return [] }
        guard let distance = word(0, of: Self.sevMetadata) else { throw Self.error("its SEV metadata has no place") }
        let metadata = try metadata(at: distance, size: 16 + 12 * Self.maximumSections)
        guard metadata.slice(0, 4)?.elementsEqual("ASEV".utf8) == true,
            let version = metadata.integer(8, as: UInt32.self), let count = metadata.integer(12, as: UInt32.self)
        else { throw Self.error("its SEV metadata is not where its table says, \(distance) bytes before the end") }
        guard version == 1 else { throw Self.error("its SEV metadata is of version \(version), not 1") }
        guard count <= Self.maximumSections else { throw Self.error("its SEV metadata has \(count) sections") }
        var sections: [Section] = []
        var total = 0
        for index in 0..<Int(count) {
            let section = try Self.section(index, of: metadata, at: 16 + 12 * index)
            total += section.size
            guard total <= Self.maximumSectionBytes else {
                throw Self.error("its sections have more than \(Self.maximumSectionBytes) bytes")
            }
            sections.append(section)
        }
        return sections
    }

    /// At most `size` bytes from `distance` bytes before the end on; none where the image has less than that.
    func metadata(at distance: UInt32, size: Int) throws(MeasurementError) -> Image {
        let start = self.size - Int(distance)
        return Image(bytes: start < 0 ? [] : try contents.read(start..<start + size))
    }

    private static func section(_ index: Int, of metadata: Image, at offset: Int) throws(MeasurementError) -> Section {
        guard let address = metadata.integer(offset, as: UInt32.self),
            let size = metadata.integer(offset + 4, as: UInt32.self),
            let type = metadata.integer(offset + 8, as: UInt32.self)
        else { throw Self.error("section \(index) of its SEV metadata lies behind the image's end") }
        guard let kind = Section.Kind(rawValue: type) else {
            throw Self.error("section \(index) of its SEV metadata is of type \(type), which is not known here")
        }
        guard Int(size) % Self.pageSize == 0, Int(address) % Self.pageSize == 0 else {
            throw Self.error("section \(index) of its SEV metadata is not one of whole pages")
        }
        return Section(kind: kind, address: UInt64(address), size: Int(size))
    }
}
