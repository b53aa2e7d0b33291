// SPDX-License-Identifier: Apache-2.0

/// One thing that goes wrong, so that what handles it can be seen to.
public enum Fault: Sendable, Equatable {
    /// Reading the report fails with EIO.
    case firmwareError
    /// `outblob` has no bytes.
    case emptyOutblob
    /// The certificate of the VCEK ended a minute ago.
    case expiredCertificate
    /// Somebody else writes to the entry each time its report is read: the generation moves.
    case generationRace
    /// `auxblob` has no bytes, as with a host that gives no certificates.
    case noCertificates
    /// The driver is unloaded between mkdir and the report: ENXIO.
    case providerGone
    /// A report takes this many milliseconds, at most ``maximumDelay``.
    case slow(UInt32)
    /// Every report is over what the first one was asked for.
    case staleNonce
    /// The lowest bit of the byte at this offset is turned over after signing.
    case tamperedReport(Int)
    /// `outblob` lacks its last byte.
    case truncatedOutblob
    /// The certificate is for another chip.
    case wrongChip
    /// The certificate names itself SEV-VLEK.
    case wrongName
    /// The report is over other data than was written.
    case wrongReportData
    /// The certificate is for another boot loader.
    case wrongSPL

    public static let maximumDelay: UInt32 = 60_000

    /// What ``init(named:)`` reads, and what it does: for help texts.
    public static let catalogue: [(name: String, meaning: String)] = [
        ("empty-outblob", "the report has no bytes"),
        ("expired-certificate", "the certificate ended a minute ago"),
        ("firmware-error", "reading the report fails with EIO"),
        ("generation-race", "another process writes to the entry as well"),
        ("no-certificates", "the host gives no certificates"),
        ("provider-gone", "the driver is unloaded meanwhile (ENXIO)"),
        ("slow:MS", "a report takes MS milliseconds (up to \(maximumDelay))"),
        ("stale-nonce", "each report is for the first one's data"),
        ("tampered-report[:OFFSET]", "a byte is changed after signing"),
        ("truncated-outblob", "the report lacks its last byte"),
        ("wrong-chip", "the certificate is for another chip"),
        ("wrong-name", "the certificate names itself SEV-VLEK"),
        ("wrong-report-data", "the report is for other data"),
        ("wrong-spl", "the certificate is for another boot loader"),
    ]

    /// From `NAME` or `NAME:NUMBER`; nil for one that is not in the catalogue or a number out of range.
    public init?(named text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let number = parts.count == 2 ? parts.last.flatMap { UInt32($0) } : nil
        switch (String(parts.first ?? ""), parts.count, number) {
        case ("tampered-report", 1, _): self = .tamperedReport(Self.measurementOffset)
        case ("tampered-report", 2, let offset?) where offset < 1184: self = .tamperedReport(Int(offset))
        case ("slow", 2, let milliseconds?) where milliseconds <= Self.maximumDelay: self = .slow(milliseconds)
        case (let name, 1, _):
            guard let fault = Self.plain[name] else { return nil }
            self = fault
        default: return nil
        }
    }

    private static let measurementOffset = 0x90

    private static let plain: [String: Fault] = [
        "empty-outblob": .emptyOutblob, "expired-certificate": .expiredCertificate, "firmware-error": .firmwareError,
        "generation-race": .generationRace, "no-certificates": .noCertificates, "provider-gone": .providerGone,
        "stale-nonce": .staleNonce, "truncated-outblob": .truncatedOutblob, "wrong-chip": .wrongChip,
        "wrong-name": .wrongName, "wrong-report-data": .wrongReportData, "wrong-spl": .wrongSPL,
    ]

    /// Faults of the certificate take effect when it is minted.
    package func apply(to settings: inout SNPSettings) {
        switch self {
        case .expiredCertificate: settings.certificate.notAfter = -60
        case .wrongChip: settings.certificate.chip = settings.chip.map { ~$0 }
        case .wrongName: settings.certificate.commonName = "SEV-VLEK"
        case .wrongSPL: settings.certificate.tcb = [settings.tcb.reported[0] ^ 1] + settings.tcb.reported.dropFirst()
        default: break
        }
    }
}
