// SPDX-License-Identifier: Apache-2.0

/// A TDX quote: the format, and nothing about whether it is genuine. Versions 4 and 5 with an ECDSA key, which is all there
/// is.
public struct TDXQuote: Sendable, Equatable {
    /// The quote without the padding that firmware and kernel put behind it.
    public let raw: [UInt8]
    public let version: UInt16
    public let report: TDReport
    public let signature: TDXQuoteSignature
    private let signedCount: Int

    /// Real ones have 5 KiB, and come in buffers of 8 KiB.
    public static let maximumByteCount = 64 << 10
    public static let versions: [UInt16] = [4, 5]
    static let headerSize = 48
    static let teeType: UInt64 = 0x81

    /// What the signature covers: header and report.
    public var signedBytes: [UInt8] { Array(raw.prefix(signedCount)) }
    /// All that stands behind the quote's own signature: the attestation key and what is to make it believed. The same in
    /// every quote that is signed with that key.
    package var certification: [UInt8] { Array(raw.dropFirst(signedCount + 4 + 64)) }
    /// 16 bytes: who made the quoting enclave.
    public var qeVendor: [UInt8] { TDXField.qeVendor.bytes(of: raw) }

    /// Throws `.malformed` for another version, key type or TEE, a report that is neither of TDX 1.0 nor of 1.5, and sizes
    /// that do not nest exactly. What follows the quote is ignored.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        guard bytes.count <= Self.maximumByteCount else { throw Self.malformed("\(bytes.count) bytes are too many") }
        self.version = try Self.version(of: bytes)
        var reader = ByteReader(bytes, at: Self.headerSize)
        let size = try version == 5 ? Self.bodySize(&reader) : TDReport.byteCount10
        guard let report = reader.bytes(size).flatMap(TDReport.init) else { throw Self.malformed("the report is cut off") }
        self.report = report
        self.signedCount = reader.position
        guard let size = reader.uint32(), let data = reader.bytes(Int(size)) else {
            throw Self.malformed("the signature is cut off")
        }
        self.signature = try TDXQuoteSignature(parsing: data)
        self.raw = Array(bytes.prefix(reader.position))
    }

    private static func version(of bytes: [UInt8]) throws(EvidenceError) -> UInt16 {
        guard bytes.count >= headerSize else { throw malformed("\(bytes.count) bytes are less than a header") }
        let version = UInt16(truncatingIfNeeded: TDXField.version.integer(of: bytes))
        guard versions.contains(version) else { throw malformed("version \(version) is not known here") }
        let tee = TDXField.teeType.integer(of: bytes)
        guard tee == teeType else { throw malformed("TEE type \(tee) is not \(teeType), TDX") }
        let key = TDXField.attestationKeyType.integer(of: bytes)
        guard key == 2 else { throw malformed("attestation key type \(key) is not 2, ECDSA on P-256") }
        return version
    }

    private static func bodySize(_ reader: inout ByteReader) throws(EvidenceError) -> Int {
        guard let type = reader.uint16(), let size = reader.uint32() else { throw malformed("the header is cut off") }
        switch (type, Int(size)) {
        case (2, TDReport.byteCount10), (3, TDReport.byteCount15): return Int(size)
        default: throw malformed("body type \(type) of \(size) bytes is no report of TDX 1.0 or 1.5")
        }
    }

    static func malformed(_ detail: String) -> EvidenceError {
        EvidenceError(.malformed, step: "TDX quote", detail: detail)
    }
}

extension TDXQuote {
    /// Header and report as they are to be signed, for whoever makes quotes. The version follows from the report: 5 for one
    /// of TDX 1.5, else `version`.
    package static func signedBytes(of report: TDReport, version: UInt16, vendor: [UInt8]) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: headerSize)
        TDXField.version.put(UInt64(version), into: &header)
        TDXField.attestationKeyType.put(2, into: &header)
        TDXField.teeType.put(teeType, into: &header)
        TDXField.qeVendor.put(vendor, into: &header)
        guard version == 5 else { return header + report.raw }
        let type: UInt16 = report.raw.count == TDReport.byteCount10 ? 2 : 3
        return header + littleEndian(type) + littleEndian(UInt32(report.raw.count)) + report.raw
    }

    /// The whole quote, unpadded.
    package static func encode(signed: [UInt8], signature: TDXQuoteSignature) -> [UInt8] {
        let data = signature.encoded
        return signed + littleEndian(UInt32(data.count)) + data
    }
}

func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
}
