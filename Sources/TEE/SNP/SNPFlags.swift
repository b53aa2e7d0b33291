// SPDX-License-Identifier: Apache-2.0

/// The guest policy a VM was launched with: what its owner lets the platform do, and demands of it. Bits not named here are
/// kept.
public struct SNPGuestPolicy: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The lowest firmware ABI that may launch this guest.
    public var abiMinor: UInt8 { UInt8(truncatingIfNeeded: rawValue) }
    public var abiMajor: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 8) }

    public static let smt = SNPGuestPolicy(rawValue: 1 << 16)
    /// Always set.
    public static let reservedOne = SNPGuestPolicy(rawValue: 1 << 17)
    /// A migration agent may be associated, which can move the guest's memory elsewhere.
    public static let migrate = SNPGuestPolicy(rawValue: 1 << 18)
    /// The host may read and write the guest's memory.
    public static let debug = SNPGuestPolicy(rawValue: 1 << 19)
    public static let singleSocket = SNPGuestPolicy(rawValue: 1 << 20)
    public static let cxl = SNPGuestPolicy(rawValue: 1 << 21)
    public static let aes256XTS = SNPGuestPolicy(rawValue: 1 << 22)
    public static let raplDisable = SNPGuestPolicy(rawValue: 1 << 23)
    public static let ciphertextHiding = SNPGuestPolicy(rawValue: 1 << 24)
    public static let pageSwapDisable = SNPGuestPolicy(rawValue: 1 << 25)

    /// The bits by which a guest demands protection, with their names in policies.
    public static let protections: [(name: String, bit: SNPGuestPolicy)] = [
        ("single_socket", .singleSocket), ("aes_256_xts", .aes256XTS), ("rapl_disable", .raplDisable),
        ("ciphertext_hiding", .ciphertextHiding), ("page_swap_disable", .pageSwapDisable),
    ]
}

/// PLATFORM_INFO: how the machine is set up. Real machines set bits that no document names; they are kept.
public struct SNPPlatformInfo: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    public static let smt = SNPPlatformInfo(rawValue: 1 << 0)
    public static let tsme = SNPPlatformInfo(rawValue: 1 << 1)
    public static let ecc = SNPPlatformInfo(rawValue: 1 << 2)
    public static let raplDisabled = SNPPlatformInfo(rawValue: 1 << 3)
    public static let ciphertextHiding = SNPPlatformInfo(rawValue: 1 << 4)
    /// No two addresses reach the same memory: the answer to BadRAM.
    public static let aliasCheck = SNPPlatformInfo(rawValue: 1 << 5)
    public static let tio = SNPPlatformInfo(rawValue: 1 << 7)

    /// The bits that speak for a machine, with their names in policies.
    public static let protections: [(name: String, bit: SNPPlatformInfo)] = [
        ("tsme", .tsme), ("ecc", .ecc), ("rapl_disable", .raplDisabled), ("ciphertext_hiding", .ciphertextHiding),
        ("alias_check", .aliasCheck),
    ]
}

/// SNP firmware, `1.55.40`.
public struct SNPFirmwareVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let major: UInt8
    public let minor: UInt8
    public let build: UInt8

    public init(major: UInt8, minor: UInt8, build: UInt8) {
        self.major = major
        self.minor = minor
        self.build = build
    }

    public var description: String { "\(major).\(minor).\(build)" }

    public static func < (left: SNPFirmwareVersion, right: SNPFirmwareVersion) -> Bool {
        (left.major, left.minor, left.build) < (right.major, right.minor, right.build)
    }
}
