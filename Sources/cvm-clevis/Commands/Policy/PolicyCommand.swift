// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Attestation
import BrokerProtocol
import PinKit

struct PolicyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Policies in files: check that a binding would take one, explain what it asks for.",
        subcommands: [Check.self, Explain.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say whether a binding would take this policy, and what in it deserves a second look.",
            discussion: """
                Exit status: 0 it would, 1 it would not.

                Example:
                  cvm-clevis policy check policy.json
                """)

        @Argument(help: "The policy (docs/spec/policy.md).")
        var file: String

        @Option(help: ArgumentHelp("The signed set that its reference names.", valueName: "file"))
        var references: String?

        @Option(
            help: ArgumentHelp(
                "Who must have signed that: a public key (default: the owner of this machine).", valueName: "file"))
        var owner: String?

        @Flag(help: "Accept a policy whose measurement leaves the initrd open to the host.")
        var dangerUnmeasuredBoot = false

        @Flag(help: "Answer with JSON.")
        var json = false

        func run() throws {
            let now = try EvidenceInput.moment(nil)
            let input = try PolicyInput(file, references: references, owner: owner)
            try requireCoverage(input.policy)
            var remarks = input.policy.remarks
            if let set = input.references {
                remarks += [set.warning(at: now), set.problem(for: input.policy, at: now)].compactMap(\.self)
            }
            guard json else {
                for remark in remarks { Console.warn("\(file): \(remark)") }
                return Console.answer("\(file): a policy for \(input.policy.platform), as a binding takes it")
            }
            let answer: JSON = [
                "platform": .string(input.policy.platform), "policy": input.policy.json,
                "remarks": .array(remarks.map { .string($0) }),
            ]
            Console.answer(answer.pretty)
        }

        /// As a binding does.
        private func requireCoverage(_ policy: GuestPolicy) throws {
            let json = try Input.json(file)
            let platform =
                switch policy {
                case .snp: Platform.snp
                case .tdx: Platform.tdx
                }
            do throws(JSONError) {
                _ = try Pins.policyToBind(json, of: platform, allowingUnmeasuredBoot: dangerUnmeasuredBoot)
            } catch {
                throw Failure("\(file): \(error)")
            }
        }
    }

    struct Explain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say in words what a policy asks for, and what it does not.",
            discussion: """
                Example:
                  cvm-clevis policy explain policy.json
                """)

        @Argument(help: "The policy (docs/spec/policy.md).")
        var file: String

        @Flag(help: "Answer with JSON.")
        var json = false

        func run() throws {
            let input = try PolicyInput(file)
            let words = input.policy.words
            Console.answer(json ? words.json.pretty : words.text)
        }
    }
}
