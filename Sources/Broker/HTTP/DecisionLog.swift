// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import Logging

/// One line per decision, with what failed. Says what the audit log says, for those who watch.
struct DecisionLog: Sendable {
    private let logger: Logger

    init(_ logger: Logger) { self.logger = logger }

    func note(_ entries: [AuditEntry]) {
        for entry in entries { note(entry) }
    }

    func note(_ rejection: Rejection, of path: String, from remote: String) {
        note(rejection.decisions)
        if let cause = rejection.cause {
            logger.error("\(rejection.detail)", metadata: ["cause": "\(cause)", "remote": "\(remote)"])
        } else if rejection.decisions.isEmpty {
            logger.notice(
                "turned away",
                metadata: [
                    "status": "\(rejection.variant.status)", "path": "\(path)", "remote": "\(remote)",
                    "reason": "\(rejection.detail)",
                ])
        }
    }

    private func note(_ entry: AuditEntry) {
        let verdict = entry.verdict
        var metadata: Logger.Metadata = ["remote": "\(entry.remote)"]
        metadata["owner"] = entry.owner.map { "\($0)" }
        metadata["binding"] = entry.binding.map { "\($0)" }
        metadata["resource"] = entry.resource.map { "\($0)" }
        metadata["chip"] = entry.chip.map { "\($0)" }
        if entry.simulated { metadata["simulated"] = "true" }
        if !verdict.explained.isEmpty { metadata["reason"] = "\(verdict.explained)" }
        logger.log(
            level: verdict.explained.isEmpty ? .info : .warning, "\(verdict.decision.rawValue)", metadata: metadata)
    }
}
