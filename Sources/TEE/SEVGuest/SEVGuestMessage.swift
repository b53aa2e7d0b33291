// SPDX-License-Identifier: Apache-2.0

/// The structures of the kernel's `include/uapi/linux/sev-guest.h`, by offset: headers that distributions ship name some of
/// their members differently. Integers are little-endian, as the machine is.
package enum SEVGuestMessage {
    /// `_IOWR('S', number, struct snp_guest_request_ioctl)`: both ways (bits 31:30), size (29:16), type (15:8), number.
    package enum Command: UInt, Sendable {
        case report = 0xC020_5300
        case derivedKey = 0xC020_5301
        case extendedReport = 0xC020_5302
    }

    /// `struct snp_guest_request_ioctl`: version @0, request address @8, response address @16, exitinfo2 @24.
    package static let envelopeSize = 32
    /// `struct snp_report_resp`: status @0, size @4, report @32.
    package static let reportResponseSize = 4000
    static let reportOffset = 32
    /// `struct snp_derived_key_resp`: status @0, key @32.
    package static let keyResponseSize = 64
    static let keyRange = 32..<64
    /// The most that the kernel takes for certificates (SEV_FW_BLOB_MAX_SIZE): four pages.
    package static let certificatesSize = 16 << 10

    /// What exitinfo2 says before a call, so that one that the kernel did not fill in is not taken for success.
    package static let noExitInformation: UInt64 = 0xFF

    /// The addresses must stay good for the whole call.
    static func envelope(request: UInt, response: UInt) -> [UInt8] {
        [1, 0, 0, 0, 0, 0, 0, 0] + bytes(UInt64(request)) + bytes(UInt64(response)) + bytes(noExitInformation)
    }

    /// `struct snp_report_req`, 96 bytes: report data @0, VMPL @64, zeros.
    static func reportRequest(over reportData: [UInt8], privilegeLevel: UInt8) -> [UInt8] {
        reportData + bytes(UInt32(privilegeLevel)) + [UInt8](repeating: 0, count: 28)
    }

    /// `struct snp_ext_report_req`, 112 bytes: the former, address @96, length @104, padding.
    static func extendedRequest(_ request: [UInt8], certificates address: UInt) -> [UInt8] {
        request + bytes(UInt64(address)) + bytes(UInt32(certificatesSize)) + [0, 0, 0, 0]
    }

    /// `struct snp_derived_key_req`, 32 bytes: root key @0, zeros @4, fields @8, VMPL @16, guest SVN @20, TCB @24.
    static func keyRequest(_ selection: DerivedKeySelection) -> [UInt8] {
        bytes(UInt32(0)) + bytes(UInt32(0)) + bytes(selection.fields.rawValue) + bytes(UInt32(selection.privilegeLevel))
            + bytes(selection.guestSVN) + selection.tcb.bytes
    }

    private static func bytes<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
        (0..<Integer.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Integer(8 * $0)) }
    }
}

/// What goes into a key that the firmware derives from the chip's own (SEV-SNP Firmware ABI, MSG_KEY_REQ), rooted in the
/// VCEK: gone with the chip, and another one once the platform reports another TCB.
public struct DerivedKeySelection: Sendable, Equatable {
    public let fields: Fields
    /// Not above the caller's own rights: its VMPL or a greater number.
    public let privilegeLevel: UInt8
    /// At most the ID block's.
    public let guestSVN: UInt32
    /// At most the committed TCB.
    public let tcb: TCBVersion

    public init(fields: Fields, privilegeLevel: UInt8, guestSVN: UInt32, tcb: TCBVersion) {
        self.fields = fields
        self.privilegeLevel = privilegeLevel
        self.guestSVN = guestSVN
        self.tcb = tcb
    }

    /// GUEST_FIELD_SELECT. What is not selected does not change the key: any guest of this chip gets the same.
    public struct Fields: OptionSet, Sendable, Hashable {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }

        public static let guestPolicy = Fields(rawValue: 1 << 0)
        public static let imageID = Fields(rawValue: 1 << 1)
        public static let familyID = Fields(rawValue: 1 << 2)
        public static let measurement = Fields(rawValue: 1 << 3)
        public static let guestSVN = Fields(rawValue: 1 << 4)
        public static let tcb = Fields(rawValue: 1 << 5)
    }
}
