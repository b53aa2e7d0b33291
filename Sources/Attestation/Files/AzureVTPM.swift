// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit
public import TEE

/// Evidence of an Azure confidential VM. Its guest cannot ask the platform: the paravisor asked once, put the report with the
/// keys of its virtual TPM into that TPM's memory (the *HCL report*), and a guest proves freshness with a quote of the TPM.
///
/// What ties the parts together is checked by ``verify()``: the report is over the keys, and one of the keys signed the quote.
public struct AzureVTPM: Sendable, Equatable {
    /// Of the evidence's form, 1 or 2.
    public let version: Int
    /// What the guest had quoted: its nonce. As many bytes as it chose.
    public let qualifyingData: [UInt8]
    /// SHA-256 bank, PCR 0 to 23, 32 bytes each.
    public let pcrs: [[UInt8]]
    /// `user-data` of the HCL report, 64 bytes, in version 2; empty where there is none.
    public let userData: [UInt8]
    /// Report data of the report or quote inside.
    private let reportData: [UInt8]
    private let hcl: HCLReport
    private let quote: TPMQuote
    private let signature: [UInt8]

    static func read(_ json: JSON, _ prefix: String, _ request: KBSRequest?) throws(JSONError) -> EvidenceFile {
        var reader = try JSONReader(json)
        let version = Int(try reader.integer("version", in: 1...2))
        let hcl = try HCLReport(reader.paddedBase64URL("hcl_report"))
        let evidence: EvidenceFile.Evidence
        let reportData: [UInt8]
        switch hcl.content {
        case .snp(let report):
            let vcek = try SNPCertificateTable(entries: [.init(kind: .vcek, bytes: reader.paddedBase64URL("vcek"))])
            evidence = .snp(report: report, certificates: vcek)
            reportData = SNPField.reportData.bytes(of: report)
        case .tdx:
            let quote = try reader.paddedBase64URL("td_quote")
            evidence = .tdx(quote: quote, eventLog: [])
            // The body of a quote of version 4 follows 48 bytes of header; its report data stands at 520.
            guard quote.count >= 632, quote[0] == 4 else { throw reader.error(at: "td_quote", "is no quote of version 4") }
            reportData = Array(quote[568..<632])
        }
        let vtpm = try AzureVTPM(version, hcl, reportData, reader: reader.reader("tpm_quote"))
        try reader.finish()
        return EvidenceFile(
            format: "\(prefix)Azure vTPM evidence (version \(version))", evidence: evidence, request: request, vtpm: vtpm)
    }

    private init(_ version: Int, _ hcl: HCLReport, _ reportData: [UInt8], reader: JSONReader) throws(JSONError) {
        var reader = reader
        self.version = version
        self.hcl = hcl
        self.reportData = reportData
        self.userData = hcl.userData
        self.signature = try reader.hex("signature")
        self.quote = try TPMQuote(try reader.hex("message"))
        self.qualifyingData = quote.qualifyingData
        var pcrs: [[UInt8]] = []
        for text in try reader.strings("pcrs") {
            guard let pcr = Hex.decode(text), pcr.count == 32 else {
                throw reader.error(at: "pcrs", "must hold 32 bytes each")
            }
            pcrs.append(pcr)
        }
        guard pcrs.count == 24 else { throw reader.error(at: "pcrs", "must be 24") }
        self.pcrs = pcrs
        try reader.finish()
    }

    /// Throws `.refused` unless the report is over the HCL report's keys, the attestation key among them signed the quote, and
    /// the quote is over the PCRs. Whether report or quote of the platform are genuine is another question.
    public func verify() throws(EvidenceError) {
        let step = "vTPM"
        guard Array(reportData.prefix(32)) == Digest.sha256(hcl.variableData) else {
            throw EvidenceError(.refused, step: step, detail: "the report is not over the keys of the HCL report")
        }
        guard try hcl.attestationKey.verifies(signature, over: quote.message) else {
            throw EvidenceError(.refused, step: step, detail: "the quote is not signed by the HCL report's attestation key")
        }
        guard quote.pcrDigest == Digest.sha256(Array(pcrs.joined())) else {
            throw EvidenceError(.refused, step: step, detail: "the quote is over other PCRs")
        }
    }

    /// Whether the guest had `nonce` quoted; version 2 also has it in front of the user data.
    public func isOver(nonce: [UInt8]) -> Bool {
        qualifyingData == nonce && (version < 2 || userData.starts(with: nonce))
    }
}

/// The paravisor's report, as it stands in the virtual TPM's memory at 0x01400001.
private struct HCLReport: Sendable, Equatable {
    enum Content: Sendable, Equatable {
        case snp([UInt8])
        /// A TDREPORT, which nobody but its own machine can check: the quote comes apart from it.
        case tdx
    }

    let content: Content
    /// The JSON that the report's data is the digest of, byte for byte.
    let variableData: [UInt8]
    let attestationKey: RSAKey
    let userData: [UInt8]

    private static let headSize = 0x20
    private static let dataHeadSize = 20
    private static let maximumSize = 16 << 10

    init(_ bytes: [UInt8]) throws(JSONError) {
        let start = Self.headSize + SNPReport.byteCount + Self.dataHeadSize
        guard bytes.count <= Self.maximumSize, bytes.count >= start, bytes.starts(with: Array("HCLA".utf8)) else {
            throw Self.error("is no HCL report")
        }
        let head = (0..<5).map { index in
            let place = start - Self.dataHeadSize + 4 * index
            return bytes[place..<place + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        // Version 1, SHA-256, and a length.
        guard head[1] == 1, head[3] == 1, head[4] <= bytes.count - start else {
            throw Self.error("has a head not known here")
        }
        switch head[2] {
        case 2: content = .snp(Array(bytes[Self.headSize..<Self.headSize + SNPReport.byteCount]))
        case 4: content = .tdx
        default: throw Self.error("is neither for SEV-SNP nor for TDX")
        }
        variableData = Array(bytes[start..<start + head[4]])
        let json = try JSON(parsing: variableData)
        guard let key = json["keys"]?.array?.first(where: { $0["kid"]?.string == "HCLAkPub" }) else {
            throw Self.error("has no HCLAkPub")
        }
        attestationKey = try RSAKey(jwk: key)
        userData = json["user-data"]?.string.flatMap { Hex.decode($0) } ?? []
    }

    private static func error(_ problem: String) -> JSONError { JSONError(place: "hcl_report", problem: problem) }
}

/// TPMS_ATTEST of a quote (TPM 2.0 Library, part 2, §10.12.12) over all 24 PCRs of the SHA-256 bank.
private struct TPMQuote: Sendable, Equatable {
    let message: [UInt8]
    let qualifyingData: [UInt8]
    let pcrDigest: [UInt8]

    /// TPM_GENERATED_VALUE, TPM_ST_ATTEST_QUOTE.
    private static let head: [UInt8] = [0xff, 0x54, 0x43, 0x47, 0x80, 0x18]
    /// One selection: TPM_ALG_SHA256, three bytes, all bits.
    private static let selection: [UInt8] = [0, 0, 0, 1, 0, 0x0b, 3, 0xff, 0xff, 0xff]
    /// Clock, reset count, restart count, safe, firmware version.
    private static let clockSize = 25

    init(_ message: [UInt8]) throws(JSONError) {
        self.message = message
        var rest = message[...]
        guard Self.take(Self.head.count, from: &rest).map(Array.init) == Self.head,
            Self.takeSized(from: &rest) != nil, let data = Self.takeSized(from: &rest),
            Self.take(Self.clockSize, from: &rest) != nil,
            Self.take(Self.selection.count, from: &rest).map(Array.init) == Self.selection,
            let digest = Self.takeSized(from: &rest), rest.isEmpty
        else { throw JSONError(place: "tpm_quote.message", problem: "is no quote over all PCRs of the SHA-256 bank") }
        qualifyingData = data
        pcrDigest = digest
    }

    private static func take(_ count: Int, from rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard rest.count >= count else { return nil }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    /// A TPM2B: two bytes of length, big-endian, and so many bytes.
    private static func takeSized(from rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard let size = take(2, from: &rest), let content = take(size.reduce(0) { $0 << 8 | Int($1) }, from: &rest) else {
            return nil
        }
        return Array(content)
    }
}

/// An RSA public key.
private struct RSAKey: Sendable, Equatable {
    /// RSAPublicKey, DER.
    private let der: [UInt8]

    private static let maximumSize = 1024

    init(jwk: JSON) throws(JSONError) {
        guard jwk["kty"]?.string == "RSA", let n = jwk["n"]?.string.flatMap({ Base64URL.decode($0) }),
            let e = jwk["e"]?.string.flatMap({ Base64URL.decode($0) }), 256...Self.maximumSize ~= n.count,
            1...4 ~= e.count
        else { throw JSONError(place: "hcl_report", problem: "its HCLAkPub is no RSA key of 2048 bits or more") }
        der = Self.tagged(0x30, Self.integer(n) + Self.integer(e))
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256.
    func verifies(_ signature: [UInt8], over message: [UInt8]) throws(EvidenceError) -> Bool {
        defer { ERR_clear_error() }
        let key = unsafe der.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            return unsafe d2i_PublicKey(EVP_PKEY_RSA, nil, &cursor, bytes.count)
        }
        guard let key = unsafe key, let context = unsafe EVP_MD_CTX_new() else {
            throw EvidenceError(.malformed, step: "vTPM", detail: "the attestation key is no RSA key")
        }
        defer {
            unsafe EVP_MD_CTX_free(context)
            unsafe EVP_PKEY_free(key)
        }
        return unsafe EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    private static func integer(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array(bytes.drop { $0 == 0 })
        return tagged(0x02, digits.first ?? 0 < 0x80 && !digits.isEmpty ? digits : [0] + digits)
    }

    private static func tagged(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        let length: [UInt8] =
            count < 0x80 ? [UInt8(count)] : [0x82, UInt8(count >> 8 & 0xff), UInt8(count & 0xff)]
        return [tag] + length + content
    }
}

extension JSONReader {
    /// Base64url, with the padding that some writers add or without it.
    fileprivate mutating func paddedBase64URL(_ name: String) throws(JSONError) -> [UInt8] {
        let text = try string(name)
        guard let bytes = Base64URL.decode(text.prefix { $0 != "=" }), text.drop(while: { $0 != "=" }).count <= 2 else {
            throw error(at: name, "is not base64url")
        }
        return bytes
    }

    fileprivate mutating func hex(_ name: String) throws(JSONError) -> [UInt8] {
        guard let bytes = Hex.decode(try string(name)) else { throw error(at: name, "is not hexadecimal") }
        return bytes
    }
}
