// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Attestation
import FileIO
import PinKit

extension EvidenceCommand {
    struct Learn: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write the strictest policy that accepts given evidence.",
            discussion: """
                For who has evidence of a guest that is right. It has to be genuine. What the measurement covers, only you know: a
                launch digest with hashes of kernel, initrd and command line covers them, most clouds' cover the firmware alone.

                Example:
                  cvm-clevis evidence learn evidence.json --covers firmware,kernel,initrd,cmdline --output policy.json
                """)

        @Argument(help: "The evidence: one guest's, or that of several that are to share a policy.")
        var files: [String]

        @OptionGroup var trust: JudgingOptions

        @Option(help: "What the measurements take in, with commas: firmware, kernel, initrd, cmdline.")
        var covers: String

        @Flag(help: "Accept other chips than those of the evidence.")
        var anyChip = false

        @Option(name: .shortAndLong, help: "The file to write (default: standard output).")
        var output: String?

        func run() throws {
            let coverage = try statedCoverage()
            let (reviewer, moment) = (try trust.reviewer(), try trust.moment())
            let text = try GuestPolicy.learn(files.map(EvidenceInput.file), reviewer, coverage, anyChip, at: moment).pretty
            guard let output else { return Console.answer(text) }
            try FileIO.replace(output, Array("\(text)\n".utf8))
            Console.say("\(output): what it asks for is told by: cvm-clevis policy explain \(output)")
        }

        private func statedCoverage() throws -> SNPPolicy.Coverage {
            try covers.split(separator: ",").reduce(into: []) { coverage, name in
                guard let bit = SNPPolicy.Coverage.names.first(where: { $0.name == name })?.bit else {
                    throw ValidationError("--covers: \(name) is none of firmware, kernel, initrd, cmdline")
                }
                coverage.formUnion(bit)
            }
        }
    }
}

extension GuestPolicy {
    /// As ``SNPPolicy/strictest(accepting:covers:anyChip:)``, written with the coverage even where that is the default.
    fileprivate static func learn(
        _ files: [EvidenceFile], _ reviewer: EvidenceReviewer, _ covers: SNPPolicy.Coverage, _ anyChip: Bool,
        at moment: Int64
    ) throws -> JSON {
        let policy: JSON
        if case .tdx = files.first?.evidence {
            let genuine = try files.map { try reviewer.genuineTDX($0, at: moment) }
            policy = try TDXPolicy.strictest(accepting: genuine, covers: covers, anyChip: anyChip).json
        } else {
            let genuine = try files.map { try reviewer.genuineSNP($0, at: moment) }
            policy = try SNPPolicy.strictest(accepting: genuine, covers: covers, anyChip: anyChip).json
        }
        var members = policy.object ?? [:]
        members["covers"] = .array(SNPPolicy.Coverage.names.filter { covers.contains($0.bit) }.map { .string($0.name) })
        return .object(members)
    }
}
