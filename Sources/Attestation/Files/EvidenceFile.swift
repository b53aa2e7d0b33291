// SPDX-License-Identifier: Apache-2.0
public import PinKit
public import TEE

/// Evidence as people keep and send it: raw bytes, or one of the JSON forms that are about. Which one it is, the content says.
///
/// Reading says nothing about whether it is genuine. Every form ends in the bytes that were signed; what a form cannot carry
/// (a field that its writer dropped) shows as a signature that does not hold.
public struct EvidenceFile: Sendable, Equatable {
    /// For people: `a raw report`, `KBS evidence (layout C)`.
    public let format: String
    public let evidence: Evidence
    /// What the evidence was made for, as the file says; nil where it says nothing.
    public let request: KBSRequest?
    /// The virtual TPM between guest and report, on Azure.
    public let vtpm: AzureVTPM?

    public enum Evidence: Sendable, Equatable {
        /// `report`: 1184 bytes.
        case snp(report: [UInt8], certificates: SNPCertificateTable)
        /// `quote`: perhaps with padding behind it; `eventLog`: the CCEL, empty where there is none.
        case tdx(quote: [UInt8], eventLog: [UInt8])
    }

    /// A quote with an event log of 256 KiB has half a megabyte in base64.
    public static let maximumSize = 4 << 20

    /// Throws `.malformed` for what is none of the forms.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        guard bytes.count <= Self.maximumSize else {
            throw Self.malformed("\(bytes.count) bytes are more than \(Self.maximumSize)")
        }
        guard bytes.first(where: { ![0x20, 0x09, 0x0a, 0x0d].contains($0) }) == UInt8(ascii: "{") else {
            try self.init(raw: bytes)
            return
        }
        do throws(JSONError) {
            try self.init(json: JSON(parsing: bytes, limit: Self.maximumSize))
        } catch {
            throw Self.malformed("\(error)")
        }
    }

    init(format: String, evidence: Evidence, request: KBSRequest? = nil, vtpm: AzureVTPM? = nil) {
        self.format = format
        self.evidence = evidence
        self.request = request
        self.vtpm = vtpm
    }

    private static func malformed(_ detail: String) -> EvidenceError {
        EvidenceError(.malformed, step: "evidence file", detail: detail)
    }
}

// MARK: - Raw bytes

extension EvidenceFile {
    /// Versions of a TDX quote's header, with the key type and TEE type that follow: the first 8 bytes.
    private static let quoteHeads: [[UInt8]] = [[4, 0, 2, 0, 0x81, 0, 0, 0], [5, 0, 2, 0, 0x81, 0, 0, 0]]

    /// A quote; a report; or a report with the host's certificate table after it, as an extended request returns them.
    private init(raw bytes: [UInt8]) throws(EvidenceError) {
        if Self.quoteHeads.contains(where: { bytes.starts(with: $0) }) {
            self.init(format: "a raw quote", evidence: .tdx(quote: bytes, eventLog: []))
            return
        }
        guard bytes.count >= SNPReport.byteCount else {
            throw Self.malformed(
                "\(bytes.count) bytes that are no JSON, no SNP report (\(SNPReport.byteCount)) and no TDX quote")
        }
        let table = try SNPCertificateTable(parsing: Array(bytes.dropFirst(SNPReport.byteCount)))
        self.init(
            format: table.entries.isEmpty ? "a raw report" : "a raw report with certificates",
            evidence: .snp(report: Array(bytes.prefix(SNPReport.byteCount)), certificates: table))
    }
}

// MARK: - JSON

extension EvidenceFile {
    private init(json: JSON) throws(JSONError) {
        guard let request = try KBSRequest(json) else {
            try self.init(evidence: json, request: nil)
            return
        }
        try self.init(evidence: request.evidence, request: request)
    }

    private init(evidence json: JSON, request: KBSRequest?) throws(JSONError) {
        let prefix = request == nil ? "" : "the attest message of a KBS client: "
        if json["attestation_report"] != nil {
            let (layout, report, table) = try KBSReport.read(json)
            self.init(
                format: "\(prefix)KBS evidence (layout \(layout))", evidence: .snp(report: report, certificates: table),
                request: request)
        } else if json["hcl_report"] != nil {
            self = try AzureVTPM.read(json, prefix, request)
        } else if json["quote"]?.string != nil {
            try self.init(quote: json, prefix, request)
        } else if json["report"]?.string != nil {
            try self.init(own: json, prefix, request)
        } else {
            throw JSONError(
                place: "",
                problem: "has none of attestation_report, hcl_report, quote, report: no evidence that is known here")
        }
    }

    /// `{"quote":base64,"cc_eventlog":base64 or null}`, as Trustee's clients have it; older ones add `aa_eventlog`. Ours is
    /// `{"quote":…,"ccel":…}`.
    private init(quote json: JSON, _ prefix: String, _ request: KBSRequest?) throws(JSONError) {
        var reader = try JSONReader(json)
        let quote = try reader.base64("quote")
        let theirs = try reader.optional("cc_eventlog") == .null ? [] : reader.optionalBase64("cc_eventlog") ?? []
        let ours = try reader.optionalBase64("ccel") ?? []
        _ = reader.optional("aa_eventlog")
        try reader.finish()
        self.init(
            format: "\(prefix)a quote in JSON", evidence: .tdx(quote: quote, eventLog: theirs.isEmpty ? ours : theirs),
            request: request)
    }

    /// `{"certificates":base64,"report":base64}`: the evidence of our own protocol (docs/spec/envelope.md §2).
    private init(own json: JSON, _ prefix: String, _ request: KBSRequest?) throws(JSONError) {
        var reader = try JSONReader(json)
        let report = try reader.base64("report")
        let certificates = try reader.optionalBase64("certificates") ?? []
        try reader.finish()
        do throws(EvidenceError) {
            self.init(
                format: "\(prefix)a report in JSON",
                evidence: .snp(report: report, certificates: try SNPCertificateTable(parsing: certificates)),
                request: request)
        } catch {
            throw reader.error(at: "certificates", "\(error)")
        }
    }

    /// The same evidence as the JSON of our own protocol, which carries all of it.
    public var json: JSON {
        switch evidence {
        case .snp(let report, let table):
            let certificates = table.entries.isEmpty ? [] : table.encoded
            return ["certificates": .string(Base64.encode(certificates)), "report": .string(Base64.encode(report))]
        case .tdx(let quote, let eventLog):
            var members: JSONObject = ["quote": .string(Base64.encode(quote))]
            if !eventLog.isEmpty { members["ccel"] = .string(Base64.encode(eventLog)) }
            return .object(members)
        }
    }
}

extension JSONReader {
    mutating func optionalBase64(_ name: String) throws(JSONError) -> [UInt8]? {
        guard let text = try optionalString(name) else { return nil }
        guard let bytes = Base64.decode(text) else { throw error(at: name, "is not base64 with padding") }
        return bytes
    }

    mutating func base64(_ name: String) throws(JSONError) -> [UInt8] {
        guard let bytes = try optionalBase64(name) else { throw error(at: name, "is missing") }
        return bytes
    }
}
