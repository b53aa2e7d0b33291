// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// Evidence as it travels: what the hardware signed, and what the platform brought to check it with.
public enum EvidenceDocument: Sendable, Equatable {
    /// `report`: 1184 bytes; `certificates`: the certificate table as the platform gave it, may be empty.
    case snp(report: [UInt8], certificates: [UInt8])
    /// `quote`: some 5000 bytes, with the padding that the platform gave; `eventLog`: the used part of the CCEL, or empty.
    case tdx(quote: [UInt8], eventLog: [UInt8])

    /// Limits in bytes, of report and quote, of a certificate table and of an event log.
    public static let maximumReport = 16 << 10
    public static let maximumCertificates = 64 << 10
    public static let maximumEventLog = 128 << 10

    public var platform: Platform {
        switch self {
        case .snp: .snp
        case .tdx: .tdx
        }
    }

    /// Whether a broker takes it.
    package var isWithinLimits: Bool {
        switch self {
        case .snp(let report, let certificates):
            report.count <= EvidenceDocument.maximumReport && certificates.count <= EvidenceDocument.maximumCertificates
        case .tdx(let quote, let eventLog):
            quote.count <= EvidenceDocument.maximumReport && eventLog.count <= EvidenceDocument.maximumEventLog
        }
    }

    init(_ reader: JSONReader, of platform: Platform) throws(JSONError) {
        var reader = reader
        switch platform {
        case .snp:
            self = .snp(
                report: try reader.base64("report", limit: EvidenceDocument.maximumReport),
                certificates: try reader.base64("certificates", limit: EvidenceDocument.maximumCertificates))
        case .tdx:
            self = .tdx(
                quote: try reader.base64("quote", limit: EvidenceDocument.maximumReport),
                eventLog: try reader.optionalBase64("ccel", limit: EvidenceDocument.maximumEventLog) ?? [])
        }
        try reader.finish()
    }

    var json: JSON {
        switch self {
        case .snp(let report, let certificates):
            return ["certificates": .string(Base64.encode(certificates)), "report": .string(Base64.encode(report))]
        case .tdx(let quote, let eventLog):
            var members: JSONObject = ["quote": .string(Base64.encode(quote))]
            if !eventLog.isEmpty { members["ccel"] = .string(Base64.encode(eventLog)) }
            return .object(members)
        }
    }
}
