// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// An area of secrets on its way to the firmware of one launch (SEV API, LAUNCH_SECRET; QEMU, `sev-inject-launch-secret`).
/// There is none for a launch that is not the one expected. Both parts may be seen by anybody.
public struct SecretPacket: Sendable, Equatable {
    /// u32 flags, iv of 16 bytes, MAC of 32 bytes.
    public let header: [UInt8]
    /// The area, encrypted.
    public let payload: [UInt8]

    /// `.refused` where `measure` is not that of `expected`.
    public init(
        _ table: borrowing SecretTable, for measure: LaunchMeasure, of expected: ExpectedLaunch,
        _ keys: borrowing SessionKeys
    ) throws(PinError) {
        try measure.verify(expected, keys)
        try self.init(table, measure, keys, iv: Random.bytes(16))
    }

    /// For tests, which need an iv that they know: one that is used twice under a TEK gives the secrets away.
    package init(
        _ table: borrowing SecretTable, for measure: LaunchMeasure, of expected: ExpectedLaunch,
        _ keys: borrowing SessionKeys, fixedIV iv: [UInt8]
    ) throws(PinError) {
        try measure.verify(expected, keys)
        try self.init(table, measure, keys, iv: iv)
    }

    private init(
        _ table: borrowing SecretTable, _ measure: LaunchMeasure, _ keys: borrowing SessionKeys, iv: [UInt8]
    ) throws(PinError) {
        let flags = [UInt8](repeating: 0, count: 4)
        payload = try keys.tek.encrypt(table.bytes(), iv: iv)
        let lengths = UInt32(payload.count).littleEndianBytes + UInt32(payload.count).littleEndianBytes
        let mac = try keys.tik.mac([0x01] + flags + iv + lengths + payload + measure.measure)
        header = flags + iv + mac
    }
}
