// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// What the test kernel module asks of a signer (Tests/Boot/Kernel/README.md).
enum SignerRequest: Equatable {
    /// `reportData`: 64 bytes.
    case evidence(reportData: [UInt8], vmpl: UInt32)
    case derivedKey(DerivedKeyRequest)

    static let byteCount = 96

    /// nil for a kind of request that there is not.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        let vmpl = UInt32(littleEndian: bytes, at: 4)
        switch UInt32(littleEndian: bytes, at: 0) {
        case 0: self = .evidence(reportData: Array(bytes[8..<72]), vmpl: vmpl)
        case 1:
            self = .derivedKey(
                DerivedKeyRequest(
                    fields: UInt64(littleEndian: bytes, at: 72), guestSVN: UInt32(littleEndian: bytes, at: 80),
                    rootKey: UInt32(littleEndian: bytes, at: 84), vmpl: vmpl, tcb: Array(bytes[88..<96])))
        default: return nil
        }
    }
}

/// `MSG_KEY_REQ` of the SEV-SNP firmware ABI, as the driver passes it on.
struct DerivedKeyRequest: Equatable {
    /// GUEST_FIELD_SELECT.
    let fields: UInt64
    let guestSVN: UInt32
    /// 0: VCEK, 1: VMRK.
    let rootKey: UInt32
    let vmpl: UInt32
    /// 8 bytes.
    let tcb: [UInt8]
}

/// What a signer answers.
enum SignerAnswer: Equatable {
    case evidence(report: [UInt8], certificates: [UInt8])
    /// `firmware`: its status in exitinfo2, which the driver reports beside EIO.
    case failure(errno: Int32, firmware: UInt32 = 0)

    var bytes: [UInt8] {
        switch self {
        case .evidence(let report, let certificates):
            [0, 0, UInt32(report.count), UInt32(certificates.count)].flatMap(\.littleEndianBytes) + report + certificates
        case .failure(let errno, let firmware):
            [UInt32(bitPattern: -errno), firmware, 0, 0].flatMap(\.littleEndianBytes)
        }
    }
}

extension FixedWidthInteger where Self: UnsignedInteger {
    /// Of bytes that are there.
    fileprivate init(littleEndian bytes: [UInt8], at offset: Int) {
        self = bytes[offset..<offset + Self.bitWidth / 8].reversed().reduce(0) { $0 << 8 | Self($1) }
    }
}

extension UInt32 {
    fileprivate var littleEndianBytes: [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: self >> (8 * $0)) } }
}
