// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import PinKit
internal import TEE

extension EndorsementDesk {
    /// How long a request waits. Guests ask again, and find what came meanwhile.
    static let patience: Duration = .seconds(8)

    /// Sees to the VCEK of evidence that comes without one. Evidence that cannot be read is left to who judges it.
    func prepare(_ evidence: EvidenceDocument) async throws(Rejection) {
        guard case .snp(let bytes, let certificates) = evidence, let report = Self.reportWithoutVCEK(bytes, certificates)
        else {
            return
        }
        if case .unknown(let reason) = await obtain(for: report, patience: Self.patience) {
            throw Rejection(.unavailable, "the certificate of this chip and TCB cannot be had now: \(reason)")
        }
    }

    /// The host's table with the VCEK that it lacks, if that is in memory; else nil.
    func completed(_ certificates: [UInt8], for bytes: [UInt8]) -> [UInt8]? {
        guard let report = Self.reportWithoutVCEK(bytes, certificates), let vcek = certificate(for: report) else {
            return nil
        }
        return SNPCertificateTable(entries: [SNPCertificateTable.Entry(kind: .vcek, bytes: vcek)]).encoded
    }

    private static func reportWithoutVCEK(_ report: [UInt8], _ certificates: [UInt8]) -> SNPReport? {
        guard let table = try? SNPCertificateTable(parsing: certificates), table[.vcek] == nil else { return nil }
        return try? SNPReport(parsing: report)
    }
}
