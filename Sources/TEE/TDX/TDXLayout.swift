// SPDX-License-Identifier: Apache-2.0

/// Where a field of a TDX quote stands (Intel TDX DCAP Quoting Library API, appendix A; Intel TDX Module ABI, TDREPORT).
/// Integers are little-endian. The one table that both the reader and whoever builds quotes go by.
package struct TDXField: Sendable {
    package let range: Range<Int>

    private init(_ offset: Int, _ count: Int) { range = offset..<offset + count }

    // In a quote of either version.
    package static let version = TDXField(0, 2)
    /// 2 is ECDSA on P-256, the only one there is.
    package static let attestationKeyType = TDXField(2, 2)
    package static let teeType = TDXField(4, 4)
    package static let qeVendor = TDXField(12, 16)
    /// The end of the header. In version 4 the TD report follows; in version 5 these two, then the report.
    package static let bodyType = TDXField(48, 2)
    package static let bodySize = TDXField(50, 4)

    // In a TD report.
    package static let teeTCB = TDXField(0, 16)
    package static let mrSEAM = TDXField(16, 48)
    package static let mrSignerSEAM = TDXField(64, 48)
    package static let seamAttributes = TDXField(112, 8)
    package static let tdAttributes = TDXField(120, 8)
    package static let xfam = TDXField(128, 8)
    package static let mrTD = TDXField(136, 48)
    package static let mrConfigID = TDXField(184, 48)
    package static let mrOwner = TDXField(232, 48)
    package static let mrOwnerConfig = TDXField(280, 48)
    /// Four of 48 bytes.
    package static let rtmrs = TDXField(328, 192)
    package static let reportData = TDXField(520, 64)
    /// TD 1.5 only.
    package static let teeTCB2 = TDXField(584, 16)
    package static let mrServiceTD = TDXField(600, 48)

    // In the quoting enclave's report (Intel SGX: REPORTBODY).
    package static let qeMiscSelect = TDXField(16, 4)
    package static let qeAttributes = TDXField(48, 16)
    package static let qeMREnclave = TDXField(64, 32)
    package static let qeMRSigner = TDXField(128, 32)
    package static let qeProductID = TDXField(256, 2)
    package static let qeSVN = TDXField(258, 2)
    package static let qeReportData = TDXField(320, 64)
}

extension TDXField {
    /// `structure` must be whole, as must be for all three below.
    package func bytes(of structure: [UInt8]) -> [UInt8] { Array(structure[range]) }

    /// The field has at most 8 bytes.
    package func integer(of structure: [UInt8]) -> UInt64 {
        structure[range].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Puts `bytes`, exactly as many as the field has, into a structure that is being built.
    package func put(_ bytes: [UInt8], into structure: inout [UInt8]) {
        precondition(bytes.count == range.count, "\(bytes.count) bytes for a field of \(range.count)")
        structure.replaceSubrange(range, with: bytes)
    }

    package func put(_ value: UInt64, into structure: inout [UInt8]) {
        put((0..<range.count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }, into: &structure)
    }
}
