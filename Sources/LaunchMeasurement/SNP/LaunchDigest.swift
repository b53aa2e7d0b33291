// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The running digest of an SEV-SNP launch: each page that the hypervisor adds is hashed together with what was before
/// (SEV-SNP Firmware ABI, SNP_LAUNCH_UPDATE, "PAGE_INFO").
struct LaunchDigest {
    enum PageType: UInt8, Sendable {
        case normal = 1
        case vmsa = 2
        case zero = 3
        case unmeasured = 4
        case secrets = 5
        case cpuid = 6
    }

    /// 48 bytes.
    private(set) var value: [UInt8]
    private let hash = RunningDigest(.sha384)
    private let contents = RunningDigest(.sha384)

    static let size = 48
    /// Where every VMSA is said to be: the last page of the 48-bit address space.
    static let vmsaAddress: UInt64 = 0xffff_ffff_f000

    /// `value`: where to go on from.
    init(from value: [UInt8] = [UInt8](repeating: 0, count: size)) { self.value = value }

    /// Adds a page whose contents are measured.
    mutating func add(_ type: PageType, _ page: [UInt8], at address: UInt64) {
        extend(type, contentsDigest(page), at: address)
    }

    /// Adds an image of whole pages, the first of them at `address`.
    mutating func add(_ image: Contents, at address: UInt64) throws(MeasurementError) {
        var address = address
        try unsafe image.pages(of: 0..<image.count) { page in
            unsafe contents.add(page)
            extend(.normal, contents.finish(), at: address)
            address += UInt64(Firmware.pageSize)
        }
    }

    /// Adds pages of which only place and type are measured. `size`: bytes, a multiple of 4096.
    mutating func add(_ type: PageType, size: Int, at address: UInt64) {
        let nothing = [UInt8](repeating: 0, count: Self.size)
        for start in stride(from: 0, to: size, by: Firmware.pageSize) {
            extend(type, nothing, at: address + UInt64(start))
        }
    }

    /// What of a page goes into the digest.
    func contentsDigest(_ page: [UInt8]) -> [UInt8] {
        contents.add(page)
        return contents.finish()
    }

    mutating func extend(_ type: PageType, _ contents: [UInt8], at address: UInt64) {
        let isInitialMigrationImage: UInt8 = 0
        let permissions: [UInt8] = [0, 0, 0]  // of VMPL 3, 2, 1
        hash.add(value)
        hash.add(contents)
        hash.add(UInt16(0x70).littleEndianBytes + [type.rawValue, isInitialMigrationImage] + permissions + [0])
        hash.add(address.littleEndianBytes)
        value = hash.finish()
    }
}
