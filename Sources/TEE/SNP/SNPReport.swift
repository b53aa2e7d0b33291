// SPDX-License-Identifier: Apache-2.0

/// A SEV-SNP attestation report: the format, and nothing about whether it is genuine.
///
/// Keeps the bytes as they came, since the signature is over those; every field is read from them on demand. Versions 2, 3
/// and 5, which are those seen in the world: a later one may give a meaning to bytes that this program would not look at.
public struct SNPReport: Sendable, Equatable {
    /// All ``byteCount`` bytes.
    public let raw: [UInt8]
    public let version: UInt32
    /// From the CPUID bytes; nil in version 2, which has none and is always a Milan or a Genoa.
    public let product: SNPProduct?

    public static let byteCount = SNPField.reportSize
    public static let versions: [UInt32] = [2, 3, 5]

    /// Throws `.malformed` for another length or version, a processor that is not known here (its TCB could not be read),
    /// and for a byte that is not signed and not zero.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        guard bytes.count == Self.byteCount else {
            throw Self.malformed("\(bytes.count) bytes, not \(Self.byteCount)")
        }
        self.raw = bytes
        self.version = UInt32(truncatingIfNeeded: SNPField.version.integer(of: bytes))
        guard Self.versions.contains(version) else { throw Self.malformed("version \(version) is not known here") }
        self.product = try version == 2 ? nil : Self.product(of: bytes)
        for (field, used) in [
            (SNPField.signatureR, SNPField.scalarSize), (.signatureS, SNPField.scalarSize), (.signatureReserved, 0),
        ] where !bytes[field.range].dropFirst(used).allSatisfy({ $0 == 0 }) {
            throw Self.malformed("a reserved byte of the signature is not zero")
        }
    }

    private static func product(of bytes: [UInt8]) throws(EvidenceError) -> SNPProduct {
        let family = bytes[SNPField.family.range.lowerBound]
        let model = bytes[SNPField.model.range.lowerBound]
        guard let product = SNPProduct(family: family, model: model) else {
            throw malformed("CPU family \(family), model \(model) is no product known here")
        }
        return product
    }

    private static func malformed(_ detail: String) -> EvidenceError {
        EvidenceError(.malformed, step: "SNP report", detail: detail)
    }
}

// MARK: - What the guest is

extension SNPReport {
    /// The ID block's security version; 0 without one.
    public var guestSVN: UInt32 { UInt32(truncatingIfNeeded: SNPField.guestSVN.integer(of: raw)) }
    public var guestPolicy: SNPGuestPolicy { SNPGuestPolicy(rawValue: SNPField.guestPolicy.integer(of: raw)) }
    /// 16 bytes each, from the ID block.
    public var familyID: [UInt8] { SNPField.familyID.bytes(of: raw) }
    public var imageID: [UInt8] { SNPField.imageID.bytes(of: raw) }
    /// The privilege level of whoever asked, 0 the highest.
    public var vmpl: UInt32 { UInt32(truncatingIfNeeded: SNPField.vmpl.integer(of: raw)) }
    /// 64 bytes of the guest's choice.
    public var reportData: [UInt8] { SNPField.reportData.bytes(of: raw) }
    /// 48 bytes: the launch digest.
    public var measurement: [UInt8] { SNPField.measurement.bytes(of: raw) }
    /// 32 bytes that the host gave at launch.
    public var hostData: [UInt8] { SNPField.hostData.bytes(of: raw) }
    /// 48 bytes each; zero without an ID block.
    public var idKeyDigest: [UInt8] { SNPField.idKeyDigest.bytes(of: raw) }
    public var authorKeyDigest: [UInt8] { SNPField.authorKeyDigest.bytes(of: raw) }
    public var hasAuthorKey: Bool { SNPField.keyInfo.integer(of: raw) & 1 != 0 }
    /// 32 bytes each; the second is all FF without a migration agent.
    public var reportID: [UInt8] { SNPField.reportID.bytes(of: raw) }
    public var migrationAgentReportID: [UInt8] { SNPField.migrationAgentReportID.bytes(of: raw) }
}

// MARK: - What the platform is

extension SNPReport {
    public var currentTCB: TCBVersion { TCBVersion(.currentTCB, of: raw) }
    public var committedTCB: TCBVersion { TCBVersion(.committedTCB, of: raw) }
    public var reportedTCB: TCBVersion { TCBVersion(.reportedTCB, of: raw) }
    public var launchTCB: TCBVersion { TCBVersion(.launchTCB, of: raw) }
    public var tcbLayout: TCBLayout { product?.tcbLayout ?? .milan }
    public var platformInfo: SNPPlatformInfo { SNPPlatformInfo(rawValue: SNPField.platformInfo.integer(of: raw)) }
    public var currentFirmware: SNPFirmwareVersion { firmware(.currentFirmware) }
    public var committedFirmware: SNPFirmwareVersion { firmware(.committedFirmware) }
    /// 64 bytes; zero when masked or under a VLEK.
    public var chipID: [UInt8] { SNPField.chipID.bytes(of: raw) }
    /// nil before version 5.
    public var launchMitigations: UInt64? { version < 5 ? nil : SNPField.launchMitigations.integer(of: raw) }
    public var currentMitigations: UInt64? { version < 5 ? nil : SNPField.currentMitigations.integer(of: raw) }

    private func firmware(_ field: SNPField) -> SNPFirmwareVersion {
        let version = field.integer(of: raw)
        return SNPFirmwareVersion(
            major: UInt8(truncatingIfNeeded: version >> 16), minor: UInt8(truncatingIfNeeded: version >> 8),
            build: UInt8(truncatingIfNeeded: version))
    }
}

// MARK: - Who signed

extension SNPReport {
    /// 1 is ECDSA on P-384 with SHA-384, the only one there is.
    public var signatureAlgorithm: UInt32 {
        UInt32(truncatingIfNeeded: SNPField.signatureAlgorithm.integer(of: raw))
    }
    public var masksChipKey: Bool { SNPField.keyInfo.integer(of: raw) & 0b10 != 0 }
    public var signingKey: SNPSigningKey? { SNPSigningKey(rawValue: UInt8(SNPField.keyInfo.integer(of: raw) >> 2 & 0b111)) }

    /// What the signature covers.
    public var signedBytes: [UInt8] { SNPField.signed.bytes(of: raw) }
    /// r ‖ s, 48 bytes each, big-endian.
    public var signature: [UInt8] { scalar(.signatureR) + scalar(.signatureS) }

    private func scalar(_ field: SNPField) -> [UInt8] {
        field.bytes(of: raw).prefix(SNPField.scalarSize).reversed()
    }
}

/// SIGNING_KEY of a report.
public enum SNPSigningKey: UInt8, Sendable {
    /// Versioned Chip Endorsement Key: this chip's, at this TCB.
    case vcek = 0
    /// Versioned Loaded Endorsement Key: the cloud provider's, loaded into many chips.
    case vlek = 1

    /// `VCEK`, `VLEK`.
    public var name: String { self == .vcek ? "VCEK" : "VLEK" }
}
