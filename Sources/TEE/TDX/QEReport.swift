// SPDX-License-Identifier: Apache-2.0

/// The report of the quoting enclave that signed a quote (Intel SGX: REPORTBODY), itself signed by the platform's PCK.
public struct QEReport: Sendable, Equatable {
    public let raw: [UInt8]

    public static let byteCount = 384

    /// nil for another length.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.raw = bytes
    }

    public var miscSelect: UInt32 { UInt32(truncatingIfNeeded: TDXField.qeMiscSelect.integer(of: raw)) }
    /// 16 bytes.
    public var attributes: [UInt8] { TDXField.qeAttributes.bytes(of: raw) }
    /// 32 bytes each: the enclave and who signed it.
    public var mrEnclave: [UInt8] { TDXField.qeMREnclave.bytes(of: raw) }
    public var mrSigner: [UInt8] { TDXField.qeMRSigner.bytes(of: raw) }
    public var productID: UInt16 { UInt16(truncatingIfNeeded: TDXField.qeProductID.integer(of: raw)) }
    public var svn: UInt16 { UInt16(truncatingIfNeeded: TDXField.qeSVN.integer(of: raw)) }
    /// 64 bytes: SHA-256 of the attestation key and the authentication data, then zeros.
    public var reportData: [UInt8] { TDXField.qeReportData.bytes(of: raw) }
}
