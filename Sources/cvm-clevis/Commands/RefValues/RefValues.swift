// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Attestation
import FileIO
import PinKit

struct RefValues: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refvalues",
        abstract: "Reference values that you sign: a new kernel takes a new set of them, and no new binding.",
        discussion: """
            A policy names a set with "reference" in place of measurements (docs/spec/reference-values.md).

            Example:
              cvm-clevis refvalues sign values.json --days 90 --output root-image.jws
              cvm-clevis-broker refvalues add /srv/broker root-image.jws            # on the broker
            """,
        subcommands: [Sign.self, Show.self, Verify.self])

    struct Sign: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sign a set with the owner's key.",
            discussion: """
                FILE is JSON: name, version, covers, and values for a platform; iat and exp are put in where they are missing.
                A version must be higher than all that the broker has seen of that name.

                Example:
                  echo '{"name":"root-image","version":2,"covers":["firmware","kernel","initrd","cmdline"],
                         "snp":{"measurement":["…"]}}' | cvm-clevis refvalues sign - --output root-image.jws
                """)

        @Argument(help: "The set; - reads standard input.")
        var file: String

        @Option(help: "It expires after so many days, where FILE has no exp.")
        var days: Int64 = 90

        @Option(name: .shortAndLong, help: "The file to write (default: standard output).")
        var output: String?

        func validate() throws {
            guard 1...3660 ~= days else { throw ValidationError("--days must be 1 to 3660") }
        }

        func run() throws {
            guard let owner = try Defaults().owner() else {
                throw Failure("there is no owner's key to sign with", hint: "make one with: cvm-clevis init")
            }
            let now = try EvidenceInput.moment(nil)
            let signed = try SignedReferenceSet(set(now), signedBy: owner)
            guard !signed.unverified.isExpired(at: now) else { throw Failure("\(file): exp is in the past") }
            RefValues.warn(signed.unverified, at: now)
            guard let output else { return Console.answer(signed.compact) }
            try FileIO.replace(output, Array("\(signed.compact)\n".utf8))
            let until = Timestamp.text(signed.unverified.expiresAt)
            Console.say("\(output): \(signed.unverified.title), good until \(until)")
            Console.say("next: cvm-clevis-broker refvalues add DIRECTORY \(output)")
        }

        private func set(_ now: Int64) throws -> ReferenceSet {
            let limit = Input.configurationLimit
            do {
                let json =
                    try file == "-" ? JSON(parsing: FileIO.read(0, limit: limit, name: "standard input")) : Input.json(file)
                guard var members = json.object else { throw JSONError(place: "", problem: "must be an object") }
                let issued = members["iat"]?.integer ?? now
                if members["iat"] == nil { members["iat"] = .integer(now) }
                if members["exp"] == nil {
                    members["exp"] = .integer(issued.addingReportingOverflow(days * 86_400).partialValue)
                }
                return try ReferenceSet(json: .object(members))
            } catch let error as JSONError {
                throw Failure(
                    "\(file) is not a set of reference values: \(error)",
                    hint: "docs/spec/reference-values.md has the members")
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what a signed set says. Verifies nothing.",
            discussion: """
                Example:
                  cvm-clevis refvalues show root-image.jws
                """)

        @Argument(help: "The signed set; - reads standard input.")
        var file: String

        @Flag(help: "Answer with JSON.")
        var json = false

        func run() throws {
            let signed = try SignedSetFile(file).signed
            let set = signed.unverified
            Console.answer(json ? set.json.pretty : RefValues.text(set, signedBy: signed.owner))
            RefValues.warn(set, at: try EvidenceInput.moment(nil))
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check that the owner signed a set, and that it is in force.",
            discussion: """
                Exit status: 0 both hold, 1 one does not.

                Example:
                  cvm-clevis refvalues verify root-image.jws --owner owner.pub.jwk
                """)

        @Argument(help: "The signed set; - reads standard input.")
        var file: String

        @Option(help: ArgumentHelp("The owner's public key (default: the owner of this machine).", valueName: "file"))
        var owner: String?

        @Option(help: ArgumentHelp("Judge for this moment, in UTC (default: now).", valueName: "rfc3339"))
        var atTime: String?

        func run() throws {
            let now = try EvidenceInput.moment(atTime)
            let set = try SignedSetFile(file).verified(by: owner)
            guard !set.isExpired(at: now) else {
                throw Failure(
                    "\(file): \(set.title) expired on \(Timestamp.text(set.expiresAt))", hint: "sign a new version")
            }
            Console.answer("\(set.title): signed by its owner, good until \(Timestamp.text(set.expiresAt))")
            RefValues.warn(set, at: now)
        }
    }

    static func warn(_ set: ReferenceSet, at now: Int64) {
        if let warning = set.warning(at: now) { Console.warn(warning) }
    }

    private static func text(_ set: ReferenceSet, signedBy owner: String) -> String {
        """
        reference values \(set.title)
          issued   \(Timestamp.text(set.issuedAt))
          expires  \(Timestamp.text(set.expiresAt))
          covers   \(set.covers)
          owner    \(owner) (by its own word)

        \(set.words.text)
        """
    }
}
