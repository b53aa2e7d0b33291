// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What SEV firmware says of a launch, to whoever has the session's TIK (SEV API, LAUNCH_MEASURE; QEMU,
/// `query-sev-launch-measure`): a MAC over the digest of what was launched, and the nonce in it.
public struct LaunchMeasure: Sendable {
    let measure: [UInt8]
    private let nonce: [UInt8]

    /// From its 48 bytes.
    public init(_ bytes: [UInt8]) throws(PinError) {
        guard bytes.count == 48 else {
            throw PinError(.malformed, step: "read a launch measure", detail: "it has \(bytes.count) bytes, not 48")
        }
        measure = Array(bytes[..<32])
        nonce = Array(bytes[32...])
    }

    /// Throws `.refused` unless the firmware measured `expected`.
    func verify(_ expected: ExpectedLaunch, _ keys: borrowing SessionKeys) throws(PinError) {
        let mac = try keys.tik.mac([0x04] + expected.text + nonce)
        guard SecretBytes(copyingPublic: mac).equals(SecretBytes(copyingPublic: measure)) else {
            throw PinError(
                .refused, step: "launch measure",
                detail:
                    "it is not that of the expected launch under this session: something else was launched (firmware, kernel,"
                    + " initrd, command line, processors), or policy, API version, build or TIK are not its own")
        }
    }
}

/// What an owner expects to have been launched, and by what.
public struct ExpectedLaunch: Sendable {
    /// Of `measure sev` or `measure seves`: 32 bytes.
    private let digest: [UInt8]
    /// The guest's policy, as the session has it.
    private let policy: UInt32
    private let firmware: SEVFirmwareVersion

    public init(digest: [UInt8], policy: UInt32, firmware: SEVFirmwareVersion) throws(PinError) {
        guard digest.count == 32 else {
            throw PinError(.malformed, step: "expected digest", detail: "it has \(digest.count) bytes, not 32")
        }
        self.digest = digest
        self.policy = policy
        self.firmware = firmware
    }

    fileprivate var text: [UInt8] { [firmware.major, firmware.minor, firmware.build] + policy.littleEndianBytes + digest }
}

/// Version of the platform's SEV firmware (QEMU, `query-sev`: api-major, api-minor, build-id).
public struct SEVFirmwareVersion: Sendable, Equatable {
    let major: UInt8
    let minor: UInt8
    let build: UInt8

    /// From `MAJOR.MINOR.BUILD` in decimal; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        guard parts.count == 3, let major = parts[0], let minor = parts[1], let build = parts[2] else { return nil }
        (self.major, self.minor, self.build) = (major, minor, build)
    }
}
