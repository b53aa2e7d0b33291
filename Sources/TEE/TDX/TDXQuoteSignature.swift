// SPDX-License-Identifier: Apache-2.0

/// The signature of a quote and what is to make its key believed: the quoting enclave's report over the key, and the
/// certificates of the key that signed that report ("certification data" of type 6, which holds one of type 5).
public struct TDXQuoteSignature: Sendable, Equatable {
    /// r ‖ s, 32 bytes each, big-endian: by the attestation key, over the signed bytes with SHA-256.
    public let signature: [UInt8]
    /// x ‖ y, 32 bytes each, big-endian: a point on P-256, or so it claims.
    public let attestationKey: [UInt8]
    public let qeReport: QEReport
    /// r ‖ s by the PCK, over the report with SHA-256.
    public let qeReportSignature: [UInt8]
    /// What the enclave hashed along with its key.
    public let qeAuthentication: [UInt8]
    /// PEM: the PCK's certificate, its CA's, the root's.
    public let certificates: [UInt8]

    package init(
        signature: [UInt8], attestationKey: [UInt8], qeReport: QEReport, qeReportSignature: [UInt8],
        qeAuthentication: [UInt8], certificates: [UInt8]
    ) {
        self.signature = signature
        self.attestationKey = attestationKey
        self.qeReport = qeReport
        self.qeReportSignature = qeReportSignature
        self.qeAuthentication = qeAuthentication
        self.certificates = certificates
    }

    private static let qeReportType: UInt16 = 6
    private static let certificateChainType: UInt16 = 5

    /// Everything must be there, in this nesting, with nothing between or behind it.
    init(parsing bytes: [UInt8]) throws(EvidenceError) {
        var reader = ByteReader(bytes)
        guard let signature = reader.bytes(64), let attestationKey = reader.bytes(64) else {
            throw TDXQuote.malformed("signature and attestation key are cut off")
        }
        var certification = ByteReader(try Self.certificationData(of: Self.qeReportType, &reader))
        guard let report = certification.bytes(QEReport.byteCount).flatMap(QEReport.init),
            let reportSignature = certification.bytes(64), let count = certification.uint16(),
            let authentication = certification.bytes(Int(count))
        else { throw TDXQuote.malformed("the quoting enclave's report is cut off") }
        self.init(
            signature: signature, attestationKey: attestationKey, qeReport: report, qeReportSignature: reportSignature,
            qeAuthentication: authentication,
            certificates: try Self.certificationData(of: Self.certificateChainType, &certification))
    }

    /// All that is left must be one piece of certification data of that type.
    private static func certificationData(of type: UInt16, _ reader: inout ByteReader) throws(EvidenceError) -> [UInt8] {
        guard let found = reader.uint16(), let size = reader.uint32() else {
            throw TDXQuote.malformed("certification data of type \(type) is cut off")
        }
        guard found == type else { throw TDXQuote.malformed("certification data of type \(found), not \(type)") }
        guard Int(size) == reader.count, let data = reader.bytes(Int(size)) else {
            throw TDXQuote.malformed("certification data of type \(type) has \(size) bytes where \(reader.count) are")
        }
        return data
    }

    package var encoded: [UInt8] {
        let inner =
            qeReport.raw + qeReportSignature + littleEndian(UInt16(qeAuthentication.count)) + qeAuthentication
            + littleEndian(Self.certificateChainType) + littleEndian(UInt32(certificates.count)) + certificates
        return signature + attestationKey + littleEndian(Self.qeReportType) + littleEndian(UInt32(inner.count)) + inner
    }
}
