// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Attestation
import PinKit

extension EvidenceCommand {
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Judge evidence: is it genuine, was it made for this request, is it what a policy wants?",
            discussion: """
                Exit status: 0 accepted, 1 refused, 2 cannot tell (such as for want of a certificate or of collateral).

                Examples:
                  cvm-clevis evidence verify report.bin --certs . --at-time 2026-07-01T00:00:00Z
                  cvm-clevis evidence verify evidence.json --nonce 00112233445566778899aabbccddeeff --policy policy.json
                """)

        @Argument(help: "The evidence; - reads standard input.")
        var file: String

        @OptionGroup var trust: JudgingOptions

        @Option(help: ArgumentHelp("What the guest has to be (docs/spec/policy.md).", valueName: "file"))
        var policy: String?

        @Option(help: ArgumentHelp("The signed set that the policy's reference names.", valueName: "file"))
        var references: String?

        @Option(
            help: ArgumentHelp(
                "Who must have signed that: a public key (default: the owner of this machine).", valueName: "file"))
        var owner: String?

        @Option(help: ArgumentHelp("The nonce that the guest was given.", valueName: "hex"))
        var nonce: String?

        @Option(help: ArgumentHelp("The 64 bytes that the platform was asked to report.", valueName: "hex"))
        var reportData: String?

        @Flag(help: "Answer with JSON.")
        var json = false

        func validate() throws {
            guard nonce == nil || reportData == nil else {
                throw ValidationError("--nonce and --report-data exclude each other")
            }
            guard references == nil || policy != nil else { throw ValidationError("--references needs --policy") }
        }

        func run() throws {
            let moment = try trust.moment()
            let request = try statedRequest()
            let reviewer = try undecided { try trust.reviewer() }
            let bytes = try undecided { try EvidenceInput.bytes(file) }
            let evidence = try EvidenceInput.file(bytes, file)
            let demands = try undecided { try wanted(of: evidence) }
            let review = reviewer.review(evidence, for: request, by: demands, at: moment)
            Console.answer(json ? review.json.pretty : review.text)
            for warning in review.warnings { Console.warn(warning) }
            switch review.outcome {
            case .accepted: return
            case .refused: throw ExitCode(1)
            case .undecided: throw ExitCode(2)
            }
        }

        private func wanted(of evidence: EvidenceFile) throws -> EvidenceReviewer.Wanted? {
            try policy.map { path in
                let isTDX = if case .tdx = evidence.evidence { true } else { false }
                let input = try PolicyInput(path, references: references, owner: owner, preferringTDX: isTDX)
                return EvidenceReviewer.Wanted(input.policy, references: input.references)
            }
        }

        /// Where something else than the evidence cannot be read, nothing was judged: that is neither yes nor no.
        private func undecided<Value>(_ body: () throws -> Value) throws -> Value {
            do {
                return try body()
            } catch {
                _ = Console.report(error)
                throw ExitCode(2)
            }
        }

        private func statedRequest() throws -> EvidenceReviewer.Request {
            if let nonce { return .nonce(try EvidenceInput.hex(nonce, 1...64, "--nonce")) }
            if let reportData { return .reportData(try EvidenceInput.hex(reportData, 64...64, "--report-data")) }
            return .asStated
        }
    }
}
