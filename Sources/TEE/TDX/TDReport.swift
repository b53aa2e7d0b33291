// SPDX-License-Identifier: Apache-2.0

/// What the TDX module says of a guest (a trust domain), as a quote carries it: the body of TDX 1.0, or that of 1.5, which
/// appends two fields. Keeps the bytes; every field is read from them on demand.
public struct TDReport: Sendable, Equatable {
    public let raw: [UInt8]

    /// Bytes of a report of TDX 1.0 and 1.5.
    public static let byteCount10 = 584
    public static let byteCount15 = 648

    /// nil for another length.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount10 || bytes.count == Self.byteCount15 else { return nil }
        self.raw = bytes
    }

    private var is15: Bool { raw.count == Self.byteCount15 }
}

// MARK: - What the guest is

extension TDReport {
    /// 48 bytes: the firmware and all else that was in memory at launch.
    public var mrTD: [UInt8] { TDXField.mrTD.bytes(of: raw) }
    /// Four of 48 bytes, extended while the guest runs: the firmware's configuration, the kernel, what the kernel is given,
    /// and one for applications.
    public var rtmrs: [[UInt8]] {
        let bytes = TDXField.rtmrs.bytes(of: raw)
        return (0..<4).map { Array(bytes[$0 * 48..<($0 + 1) * 48]) }
    }
    /// 48 bytes each, which the host gave at launch.
    public var mrConfigID: [UInt8] { TDXField.mrConfigID.bytes(of: raw) }
    public var mrOwner: [UInt8] { TDXField.mrOwner.bytes(of: raw) }
    public var mrOwnerConfig: [UInt8] { TDXField.mrOwnerConfig.bytes(of: raw) }
    public var attributes: TDAttributes { TDAttributes(rawValue: TDXField.tdAttributes.integer(of: raw)) }
    /// Extended processor features that the guest may use.
    public var xfam: UInt64 { TDXField.xfam.integer(of: raw) }
    /// 64 bytes of the guest's choice.
    public var reportData: [UInt8] { TDXField.reportData.bytes(of: raw) }
    /// 48 bytes: the service TDs, such as a migration TD, that are bound to the guest; zero when there are none, nil before
    /// TDX 1.5.
    public var mrServiceTD: [UInt8]? { is15 ? TDXField.mrServiceTD.bytes(of: raw) : nil }
}

// MARK: - What the platform is

extension TDReport {
    /// 16 security version numbers: byte 0 the TDX module's, byte 1 its major version.
    public var teeTCB: [UInt8] { TDXField.teeTCB.bytes(of: raw) }
    /// The same after updates that the guest lived through; nil before TDX 1.5.
    public var teeTCB2: [UInt8]? { is15 ? TDXField.teeTCB2.bytes(of: raw) : nil }
    /// 48 bytes: the TDX module.
    public var mrSEAM: [UInt8] { TDXField.mrSEAM.bytes(of: raw) }
    /// 48 bytes: who signed the module; zero for Intel.
    public var mrSignerSEAM: [UInt8] { TDXField.mrSignerSEAM.bytes(of: raw) }
    public var seamAttributes: UInt64 { TDXField.seamAttributes.integer(of: raw) }
}

/// TD_ATTRIBUTES: what the host may do to a guest, and what the guest may use. Bits not named here are kept.
public struct TDAttributes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// The host may read and write the guest's memory.
    public static let debug = TDAttributes(rawValue: 1 << 0)
    /// All bits of the group "TD under debug": none is set in a guest that can be trusted.
    public static let underDebug = TDAttributes(rawValue: 0xff)
    /// The host cannot make the guest's page faults its own business.
    public static let septVEDisable = TDAttributes(rawValue: 1 << 28)
    /// A migration TD can move the guest elsewhere.
    public static let migratable = TDAttributes(rawValue: 1 << 29)
    /// Supervisor protection keys.
    public static let pks = TDAttributes(rawValue: 1 << 30)
    /// Performance counters.
    public static let perfmon = TDAttributes(rawValue: 1 << 63)
}
