// SPDX-License-Identifier: Apache-2.0
internal import TEE

/// One thing that goes wrong, so that what handles it can be seen to.
public enum Fault: Sendable, Equatable {
    /// Reading the report fails with EIO.
    case firmwareError
    /// `outblob` has no bytes.
    case emptyOutblob
    /// The certificate of VCEK, VLEK or PCK ended a minute ago.
    case expiredCertificate
    /// Somebody else writes to the entry each time its report is read: the generation moves.
    case generationRace
    /// `auxblob` has no bytes, as with a host that gives no certificates.
    case noCertificates
    /// The certificate is signed with RSASSA-PKCS1-v1_5 in place of PSS. SEV-SNP.
    case pkcs1Signature
    /// The driver is unloaded between mkdir and the report: ENXIO.
    case providerGone
    /// The PCK certificate is one that its CA has revoked. TDX.
    case revokedCertificate
    /// A report takes this many milliseconds, at most ``maximumDelay``.
    case slow(UInt32)
    /// Every report is over what the first one was asked for.
    case staleNonce
    /// The quote is signed by a key that the quoting enclave does not vouch for. TDX.
    case swappedKey
    /// The lowest bit of the byte at this offset, or of one of the launch measurement, is turned over after signing.
    case tamperedReport(Int?)
    /// `outblob` lacks its last byte.
    case truncatedOutblob
    /// The certificate is for another chip. SEV-SNP.
    case wrongChip
    /// The VCEK's certificate names itself SEV-VLEK, or the other way round. SEV-SNP.
    case wrongName
    /// The quoting enclave is another signer's. TDX.
    case wrongQE
    /// The report is over other data than was written.
    case wrongReportData
    /// The certificate is for another boot loader. SEV-SNP.
    case wrongSPL

    public static let maximumDelay: UInt32 = 60_000

    /// What ``init(named:)`` reads, and what it does: for help texts.
    public static let catalogue: [(name: String, meaning: String)] = [
        ("empty-outblob", "the report has no bytes"),
        ("expired-certificate", "the certificate ended a minute ago"),
        ("firmware-error", "reading the report fails with EIO"),
        ("generation-race", "another process writes to the entry as well"),
        ("no-certificates", "snp: the host gives no certificates"),
        ("pkcs1-signature", "snp: the certificate is signed with PKCS #1 v1.5"),
        ("provider-gone", "the driver is unloaded meanwhile (ENXIO)"),
        ("revoked-certificate", "tdx: the PCK certificate is revoked"),
        ("slow:MS", "a report takes MS milliseconds (up to \(maximumDelay))"),
        ("stale-nonce", "each report is for the first one's data"),
        ("swapped-key", "tdx: the quote is by a key of nobody's"),
        ("tampered-report[:OFFSET]", "a byte is changed after signing"),
        ("truncated-outblob", "the report lacks its last byte"),
        ("wrong-chip", "snp: the certificate is for another chip"),
        ("wrong-name", "snp: the certificate is for the other kind of key"),
        ("wrong-qe", "tdx: the quoting enclave is another signer's"),
        ("wrong-report-data", "the report is for other data"),
        ("wrong-spl", "snp: the certificate is for another boot loader"),
    ]

    /// From `NAME` or `NAME:NUMBER`; nil for one that is not in the catalogue or a number out of range.
    public init?(named text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let number = parts.count == 2 ? parts.last.flatMap { UInt32($0) } : nil
        switch (String(parts.first ?? ""), parts.count, number) {
        case ("tampered-report", 1, _): self = .tamperedReport(nil)
        case ("tampered-report", 2, let offset?) where offset < Self.maximumOffset: self = .tamperedReport(Int(offset))
        case ("slow", 2, let milliseconds?) where milliseconds <= Self.maximumDelay: self = .slow(milliseconds)
        case (let name, 1, _):
            guard let fault = Self.plain[name] else { return nil }
            self = fault
        default: return nil
        }
    }

    /// No report or quote is longer.
    private static let maximumOffset = 8192

    private static let plain: [String: Fault] = [
        "empty-outblob": .emptyOutblob, "expired-certificate": .expiredCertificate, "firmware-error": .firmwareError,
        "generation-race": .generationRace, "no-certificates": .noCertificates, "pkcs1-signature": .pkcs1Signature,
        "provider-gone": .providerGone, "revoked-certificate": .revokedCertificate, "stale-nonce": .staleNonce,
        "swapped-key": .swappedKey, "truncated-outblob": .truncatedOutblob, "wrong-chip": .wrongChip,
        "wrong-name": .wrongName, "wrong-qe": .wrongQE, "wrong-report-data": .wrongReportData, "wrong-spl": .wrongSPL,
    ]

    /// Faults of the proof take effect when it is made.
    package func apply(to settings: inout SNPSettings) {
        switch self {
        case .expiredCertificate: settings.certificate.notAfter = -60
        case .pkcs1Signature: settings.certificate.pss = false
        case .wrongChip: settings.certificate.chip = settings.chip.map { ~$0 }
        case .wrongName: settings.certificate.commonName = settings.signingKey == .vcek ? "SEV-VLEK" : "SEV-VCEK"
        case .wrongSPL: settings.certificate.tcb = [settings.tcb.reported[0] ^ 1] + settings.tcb.reported.dropFirst()
        default: break
        }
    }

    package func apply(to settings: inout TDXSettings) {
        switch self {
        case .expiredCertificate: settings.flaws.notAfter = -60
        case .revokedCertificate: settings.flaws.hasRevokedPCK = true
        case .swappedKey: settings.flaws.swapsAttestationKey = true
        case .wrongQE: settings.flaws.hasForeignQE = true
        default: break
        }
    }

    /// Whether that is something that can go wrong there; the faults of the kernel's interface can everywhere.
    package func isPossible(on tee: SimulatedTEE) -> Bool {
        switch (self, tee) {
        case (.noCertificates, .tdx), (.pkcs1Signature, .tdx), (.wrongChip, .tdx), (.wrongName, .tdx), (.wrongSPL, .tdx),
            (.revokedCertificate, .snp), (.swappedKey, .snp), (.wrongQE, .snp):
            false
        default: true
        }
    }
}
