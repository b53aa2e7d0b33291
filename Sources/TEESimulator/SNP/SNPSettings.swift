// SPDX-License-Identifier: Apache-2.0
public import PinKit
public import TEE

/// What a simulated SEV-SNP guest, its chip and its firmware look like. The defaults are a plain Genoa guest that a sensible
/// policy accepts.
public struct SNPSettings: Sendable {
    /// SHA-384 of a sentence, 48 bytes: what `cvm-tee-sim measurement` prints, and anybody can compute.
    public static let defaultMeasurement = Digest.sha384(Array("cvm-tee-sim: the launch measurement of no image".utf8))
    /// A policy for `snp-attest` that the default guest meets: as if everything that boots were measured.
    public static let examplePolicy: JSON = [
        "covers": ["firmware", "kernel", "initrd", "cmdline"],
        "measurement": [.string(Base64URL.encode(defaultMeasurement))],
    ]
    /// Whom the VLEK was given to (`cspID`).
    public static let provider = "CN=cvm-tee-sim.example"
    /// SHA-512 of a sentence, 64 bytes.
    public static let defaultChip = Digest.sha512(Array("cvm-tee-sim: the identifier of no chip".utf8))

    /// 2, 3 or 5.
    public var version: UInt32 = 3
    public var guestSVN: UInt32 = 0
    /// ABI 0.0, SMT allowed, the bit that is always 1; neither debugging nor migration.
    public var policy: UInt64 = 0x3_0000
    /// 16 bytes each.
    public var familyID = [UInt8](repeating: 0, count: 16)
    public var imageID = [UInt8](repeating: 0, count: 16)
    /// The level reported while nobody writes `privlevel`; also the lowest that may be written.
    public var vmpl: UInt32 = 0
    /// SMT enabled, ECC memory, alias check complete.
    public var platformInfo: UInt64 = 0x25
    /// 48 bytes.
    public var measurement = SNPSettings.defaultMeasurement
    /// 32 bytes.
    public var hostData = [UInt8](repeating: 0, count: 32)
    /// 48 bytes each; zero means that the guest was launched without an ID block or author key.
    public var idKeyDigest = [UInt8](repeating: 0, count: 48)
    public var authorKeyDigest = [UInt8](repeating: 0, count: 48)
    /// The key that signs reports. Under a VLEK they name no chip.
    public var signingKey = SNPSigningKey.vcek
    /// 64 bytes.
    public var chip = SNPSettings.defaultChip
    public var tcb = SNPTrustedBase()
    public var certificate = CertificateOverrides()

    public init() {}

    /// Settings that no report can carry are an error here, not a wrong report later.
    func check() throws(SimulatorError) {
        let widths: [(name: String, count: Int, expected: Int)] = [
            ("measurement", measurement.count, 48), ("host data", hostData.count, 32), ("chip id", chip.count, 64),
            ("family id", familyID.count, 16), ("image id", imageID.count, 16),
            ("ID key digest", idKeyDigest.count, 48), ("author key digest", authorKeyDigest.count, 48),
            ("reported TCB", tcb.reported.count, 8), ("current TCB", tcb.current.count, 8),
            ("committed TCB", tcb.committed.count, 8), ("launch TCB", tcb.launch.count, 8),
            ("TCB of the certificate", certificate.tcb?.count ?? 8, 8),
            ("chip id of the certificate", certificate.chip?.count ?? 64, 64),
        ]
        for (name, count, expected) in widths where count != expected {
            throw SimulatorError("\(name): \(count) bytes given, \(expected) expected")
        }
        guard [2, 3, 5].contains(version) else { throw SimulatorError("report version \(version): 2, 3 or 5 expected") }
        guard vmpl <= 3 else { throw SimulatorError("VMPL \(vmpl): 0 to 3 expected") }
    }
}

/// The four TCB versions of a report, 8 bytes each as they stand in it. Genoa: boot loader, TEE, four reserved, SNP, microcode.
public struct SNPTrustedBase: Sendable {
    public var reported: [UInt8]
    public var current: [UInt8]
    public var committed: [UInt8]
    public var launch: [UInt8]

    /// All four the same.
    public init(_ bytes: [UInt8] = [10, 0, 0, 0, 0, 0, 23, 84]) {
        reported = bytes
        current = bytes
        committed = bytes
        launch = bytes
    }
}

/// What to get wrong in the certificate of VCEK or VLEK, for a verifier that must notice. nil: as the report has it.
public struct CertificateOverrides: Sendable {
    public var commonName: String?
    public var productName = "Genoa"
    public var tcb: [UInt8]?
    public var chip: [UInt8]?
    /// Seconds from now to the start and the end of validity: since yesterday, for seven years.
    public var notBefore = -86_400
    public var notAfter = 7 * 365 * 86_400
    /// AMD signs with RSASSA-PSS; false gives PKCS #1 v1.5.
    public var pss = true

    public init() {}
}
