// SPDX-License-Identifier: Apache-2.0
public import TEE

/// What an owner demands of a genuine SNP guest before it gets a share (docs/spec/policy.md).
///
/// Read from the JSON of an envelope's header, completely and strictly. What is left out has its default: no debugging, no
/// migration, VMPL 0, and otherwise no demand. One demand must be there: which software it is, by measurement, by the key of
/// its ID block, or by reference to values that the owner signs apart from the policy.
public struct SNPPolicy: Sendable, Hashable {
    /// What the launch digest takes in: the owner's word, which no evidence can confirm. All of it where nothing is said.
    public internal(set) var covers: Coverage

    // Which software. Empty lists and nil make no demand.

    /// A set of reference values, in place of ``measurements``.
    public internal(set) var reference: ReferenceName?
    /// Launch digests, 48 bytes; one of them.
    public internal(set) var measurements: [[UInt8]] = []
    /// SHA-384 of the keys that signed the ID block and that key; one of them.
    public internal(set) var idKeyDigests: [[UInt8]] = []
    public internal(set) var authorKeyDigests: [[UInt8]] = []
    /// 16 bytes each, of the ID block.
    public internal(set) var familyID: [UInt8]?
    public internal(set) var imageID: [UInt8]?
    /// At least this one.
    public internal(set) var guestSVN: UInt32?
    /// 32 bytes: one VM, where a fleet shares a measurement.
    public internal(set) var hostData: [UInt8]?
    public internal(set) var vmpl: UInt32 = 0

    // What the host may do to it.

    public internal(set) var allowsDebug = false
    public internal(set) var allowsMigration = false
    public internal(set) var allowsSMT = true
    public internal(set) var allowsCXL = true
    /// Whether devices may be inside of what the platform protects (SEV-TIO).
    public internal(set) var allowsTIO = true
    /// Bits that the guest policy must have.
    public internal(set) var guestPolicy: SNPGuestPolicy = []
    /// The least that the guest policy may ask of the firmware's ABI.
    public internal(set) var abi: ABIVersion?

    // On which platform.

    public internal(set) var products: [SNPProduct] = []
    /// Which keys may sign: a chip's own, or one loaded by the provider of the cloud.
    public internal(set) var signingKeys: [SNPSigningKey] = []
    /// Whom the VLEK was given to, as AMD wrote it into its certificate; one of them. Never holds under a VCEK.
    public internal(set) var providers: [String] = []
    /// CHIP_ID, 64 bytes, or the 8 that are used on Turin; one of them.
    public internal(set) var chips: [[UInt8]] = []
    /// Bits that PLATFORM_INFO must have.
    public internal(set) var platformInfo: SNPPlatformInfo = []
    /// Component-wise minimum per product; a product that is not named is not accepted.
    public internal(set) var tcb: [SNPProduct: TCBVersion] = [:]
    public internal(set) var committedTCB: [SNPProduct: TCBVersion] = [:]
    public internal(set) var launchTCB: [SNPProduct: TCBVersion] = [:]
    public internal(set) var currentTCB: [SNPProduct: TCBVersion] = [:]
    /// The committed firmware is at least this one.
    public internal(set) var firmware: SNPFirmwareVersion?
    /// The firmware that runs is at least this one. It may be newer than the committed one, and go back to that.
    public internal(set) var currentFirmware: SNPFirmwareVersion?
    /// Bits that both mitigation vectors must have; a report before version 5 has none.
    public internal(set) var mitigations: UInt64 = 0

    init(covers: Coverage) { self.covers = covers }

    /// The parts of a boot that a launch digest may take in.
    public struct Coverage: OptionSet, Sendable, Hashable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        public static let firmware = Coverage(rawValue: 1)
        public static let kernel = Coverage(rawValue: 2)
        public static let initrd = Coverage(rawValue: 4)
        public static let cmdline = Coverage(rawValue: 8)
        public static let everything: Coverage = [.firmware, .kernel, .initrd, .cmdline]

        /// As a policy writes them.
        public static let names: [(name: String, bit: Coverage)] = [
            ("firmware", .firmware), ("kernel", .kernel), ("initrd", .initrd), ("cmdline", .cmdline),
        ]
    }

    /// Whether the host cannot put an initrd of its own in place of the one that unlocks.
    public var coversInitrd: Bool { covers.contains(.initrd) }

    /// Major and minor of the ABI that a guest policy asks for.
    public struct ABIVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
        public let major: UInt8
        public let minor: UInt8

        public var description: String { "\(major).\(minor)" }

        public static func < (left: ABIVersion, right: ABIVersion) -> Bool {
            (left.major, left.minor) < (right.major, right.minor)
        }
    }
}
