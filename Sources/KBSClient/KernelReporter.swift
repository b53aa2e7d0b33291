// SPDX-License-Identifier: Apache-2.0
package import BrokerProtocol
package import PinKit
internal import TEE

/// The kernel's report interfaces, where the platform's driver stands behind one.
package struct KernelReporter: EvidenceReporter {
    private let platform: Platform
    private let reporter: PlatformReporter

    package init(_ platform: Platform) {
        self.platform = platform
        self.reporter = PlatformReporter(platform == .snp ? .sevGuest : .tdxGuest)
    }

    package func requirePlatform() throws(PinError) { try reporter.requirePlatform() }

    package func report(for data: [UInt8], before deadline: Deadline) throws(PinError) -> EvidenceDocument {
        let answer = try reporter.report(over: data, before: deadline)
        switch platform {
        case .snp: return .snp(report: answer.report, certificates: answer.certificates)
        case .tdx: return .tdx(quote: answer.report, eventLog: eventLog)
        }
    }

    /// Empty where there is none, or more of it than a broker takes: it only explains the quote.
    private var eventLog: [UInt8] {
        let log = CCEL().read() ?? []
        return log.count <= EvidenceDocument.maximumEventLog ? log : []
    }
}
