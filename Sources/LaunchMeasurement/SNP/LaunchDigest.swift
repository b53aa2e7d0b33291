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

    /// Adds pages whose contents are measured. `pages`: whole pages, the first of them at `address`.
    mutating func add(_ type: PageType, _ pages: [UInt8], at address: UInt64) {
        for start in stride(from: 0, to: pages.count, by: Firmware.pageSize) {
            let page = pages[start..<min(start + Firmware.pageSize, pages.count)]
            extend(type, contentsDigest(page), at: address + UInt64(start))
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
    func contentsDigest(_ page: some Sequence<UInt8>) -> [UInt8] {
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
