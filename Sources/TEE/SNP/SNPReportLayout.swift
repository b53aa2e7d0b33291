// SPDX-License-Identifier: Apache-2.0

/// Where a field of ATTESTATION_REPORT stands (SEV-SNP Firmware ABI, "ATTESTATION_REPORT structure"). Integers are
/// little-endian. The one table that both the reader and whoever builds reports go by.
package struct SNPField: Sendable {
    package let range: Range<Int>

    private init(_ offset: Int, _ count: Int) { range = offset..<offset + count }

    package static let version = SNPField(0x000, 4)
    package static let guestSVN = SNPField(0x004, 4)
    package static let guestPolicy = SNPField(0x008, 8)
    package static let familyID = SNPField(0x010, 16)
    package static let imageID = SNPField(0x020, 16)
    package static let vmpl = SNPField(0x030, 4)
    package static let signatureAlgorithm = SNPField(0x034, 4)
    package static let currentTCB = SNPField(0x038, 8)
    package static let platformInfo = SNPField(0x040, 8)
    /// Bit 0 AUTHOR_KEY_EN, bit 1 MASK_CHIP_KEY, bits 4:2 SIGNING_KEY.
    package static let keyInfo = SNPField(0x048, 4)
    package static let reportData = SNPField(0x050, 64)
    package static let measurement = SNPField(0x090, 48)
    package static let hostData = SNPField(0x0C0, 32)
    package static let idKeyDigest = SNPField(0x0E0, 48)
    package static let authorKeyDigest = SNPField(0x110, 48)
    package static let reportID = SNPField(0x140, 32)
    package static let migrationAgentReportID = SNPField(0x160, 32)
    package static let reportedTCB = SNPField(0x180, 8)
    /// Version 3 and later; reserved in version 2.
    package static let family = SNPField(0x188, 1)
    package static let model = SNPField(0x189, 1)
    package static let stepping = SNPField(0x18A, 1)
    package static let chipID = SNPField(0x1A0, 64)
    package static let committedTCB = SNPField(0x1E0, 8)
    /// Build, minor, major: a byte each.
    package static let currentFirmware = SNPField(0x1E8, 3)
    package static let committedFirmware = SNPField(0x1EC, 3)
    package static let launchTCB = SNPField(0x1F0, 8)
    /// Version 5; reserved before.
    package static let launchMitigations = SNPField(0x1F8, 8)
    package static let currentMitigations = SNPField(0x200, 8)

    /// What the signature covers.
    package static let signed = SNPField(0x000, 0x2A0)
    /// R and S: 72 bytes each, little-endian, of which P-384 uses 48 and the rest is zero.
    package static let signatureR = SNPField(0x2A0, 72)
    package static let signatureS = SNPField(0x2E8, 72)
    /// Zero. Outside of what is signed, so the only thing that keeps it from being anybody's to change is that we look.
    package static let signatureReserved = SNPField(0x330, 0x170)

    /// Bytes of a whole report.
    package static let reportSize = 0x4A0
    /// Bytes of a P-384 coordinate or scalar.
    package static let scalarSize = 48
}

extension SNPField {
    /// `bytes` must be a whole report.
    package func bytes(of report: [UInt8]) -> [UInt8] { Array(report[range]) }

    /// `bytes` must be a whole report, the field at most 8 bytes.
    package func integer(of report: [UInt8]) -> UInt64 {
        report[range].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Puts `bytes`, exactly as many as the field has, into a report that is being built.
    package func put(_ bytes: [UInt8], into report: inout [UInt8]) {
        precondition(bytes.count == range.count, "\(bytes.count) bytes for a field of \(range.count)")
        report.replaceSubrange(range, with: bytes)
    }

    /// Puts `value` into a report that is being built.
    package func put(_ value: UInt64, into report: inout [UInt8]) {
        put((0..<range.count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }, into: &report)
    }
}
