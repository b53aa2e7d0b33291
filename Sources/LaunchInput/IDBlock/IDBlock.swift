// SPDX-License-Identifier: Apache-2.0
internal import PinKit
public import TEE

/// What an owner says of an SEV-SNP guest: the only launch that it may be, and what its reports are to say of it beside
/// (SEV-SNP Firmware ABI, SNP_LAUNCH_FINISH, "ID block"), 96 bytes.
public struct IDBlock: Sendable, Equatable {
    /// 48 bytes. The firmware ends a launch that measures anything else.
    public var measurement: [UInt8]
    /// 16 bytes each, of the owner's choice.
    public var familyID: [UInt8]
    public var imageID: [UInt8]
    public var guestSVN: UInt32
    /// What the guest must be launched with.
    public var policy: SNPGuestPolicy

    static let length = 96
    private static let version: UInt32 = 1

    /// `measurement` has 48 bytes, the IDs 16.
    public init(measurement: [UInt8], familyID: [UInt8], imageID: [UInt8], guestSVN: UInt32, policy: SNPGuestPolicy) {
        precondition(measurement.count == 48 && familyID.count == 16 && imageID.count == 16, "sizes of an ID block's fields")
        self.measurement = measurement
        self.familyID = familyID
        self.imageID = imageID
        self.guestSVN = guestSVN
        self.policy = policy
    }

    public var bytes: [UInt8] {
        measurement + familyID + imageID + Self.version.littleEndianBytes + guestSVN.littleEndianBytes
            + policy.rawValue.littleEndianBytes
    }

    public init(_ bytes: [UInt8]) throws(EvidenceError) {
        guard bytes.count == Self.length else {
            throw EvidenceError(.malformed, step: "ID block", detail: "it has \(bytes.count) bytes, not \(Self.length)")
        }
        guard bytes[0x50..<0x54].littleEndian == UInt64(Self.version) else {
            throw EvidenceError(.malformed, step: "ID block", detail: "it is not of version \(Self.version)")
        }
        self.init(
            measurement: Array(bytes[..<0x30]), familyID: Array(bytes[0x30..<0x40]), imageID: Array(bytes[0x40..<0x50]),
            guestSVN: UInt32(truncatingIfNeeded: bytes[0x54..<0x58].littleEndian),
            policy: SNPGuestPolicy(rawValue: bytes[0x58..<0x60].littleEndian))
    }
}
