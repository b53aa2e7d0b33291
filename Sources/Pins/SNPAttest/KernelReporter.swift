// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import PinKit
internal import TEE

/// The kernel's report interface, where SEV-SNP's driver stands behind it.
struct KernelReporter: EvidenceReporter {
    private let reporter = TSMReporter()

    func requirePlatform() throws(PinError) { try reporter.requirePlatform() }

    func report(for data: [UInt8], before deadline: Deadline) throws(PinError) -> EvidenceDocument {
        let answer = try reporter.report(over: data, before: deadline)
        guard answer.provider == TSMReport.sevGuest else {
            throw PinError(
                .unavailable, detail: "the platform's reports come from \(answer.provider), not \(TSMReport.sevGuest)")
        }
        return EvidenceDocument(report: answer.report, certificates: answer.certificates)
    }
}
