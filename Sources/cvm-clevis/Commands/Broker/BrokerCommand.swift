// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BrokerProtocol
import FileIO
import Glibc
import PinKit

struct BrokerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "broker",
        abstract:
            "Administer what is yours at the broker, with a token: resources, revocations, reference values, the audit log.",
        discussion: """
            Answers are JSON, one object per line.

            Example:
              cvm-clevis broker resource put alice-disks/disk/root key.bin --policy policy.json --token-file alice.token
              cvm-clevis broker audit --follow --token-file alice.token
            """,
        subcommands: [Resource.self, Policy.self, Revoke.self, RefValues.self, Audit.self])

    /// Who gets a resource.
    struct Terms: ParsableArguments {
        @Option(help: ArgumentHelp("The policy for AMD SEV-SNP guests.", valueName: "file")) var policy: String?
        @Option(help: ArgumentHelp("The policy for Intel TDX guests.", valueName: "file")) var tdxPolicy: String?

        /// nil where none is given.
        func policies() throws -> JSON? {
            var policies: JSONObject = [:]
            for (platform, file) in [(Platform.snp, policy), (.tdx, tdxPolicy)] {
                policies[platform.rawValue] = try file.map(Input.json)
            }
            return policies.isEmpty ? nil : .object(policies)
        }
    }

    // MARK: - Resources

    struct Resource: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Store, list and remove secrets for clients of the KBS protocol.",
            discussion: """
                Example:
                  cvm-clevis broker resource list --token-file alice.token
                """,
            subcommands: [Put.self, List.self, Remove.self])

        struct Put: ParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Store a file, in place of what you had there.",
                discussion: """
                    FILE is stored as it is, up to 64 KiB; - reads standard input. The repository must have been given to you. Without a
                    policy it gets your default policy.

                    Example:
                      cvm-clevis broker resource put alice-disks/disk/root key.bin --policy policy.json --token-file alice.token
                    """)

            @Argument(help: "REPOSITORY/TYPE/TAG.") var path: String
            @Argument(help: "What to store.") var file: String
            @OptionGroup var terms: Terms
            @OptionGroup var access: BrokerAccess

            func run() throws {
                let limit = 64 << 10
                let content =
                    file == "-"
                    ? try FileIO.readSecret(STDIN_FILENO, limit: limit, name: "standard input")
                    : try FileIO.readSecret(file, limit: limit)
                var fields = ["Content-Type: application/octet-stream"]
                if let policies = try terms.policies() {
                    fields.append("Cvm-Clevis-Policy: \(Base64URL.encode(Array(policies.canonical.utf8)))")
                }
                Console.answer(
                    try access.call("PUT", "resources/\(BrokerCommand.checked(path))", fields: fields, body: content)
                        .canonical)
            }
        }

        struct List: ParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "List your resources, without what they hold.",
                discussion: """
                    Example:
                      cvm-clevis broker resource list --token-file alice.token
                    """)

            @OptionGroup var access: BrokerAccess

            func run() throws { try access.list("resources", "resources").forEach { Console.answer($0.canonical) } }
        }

        struct Remove: ParsableCommand {
            static let configuration = CommandConfiguration(
                abstract: "Remove a resource, for good.",
                discussion: """
                    Example:
                      cvm-clevis broker resource remove alice-disks/disk/root --token-file alice.token
                    """)

            @Argument(help: "REPOSITORY/TYPE/TAG.") var path: String
            @OptionGroup var access: BrokerAccess

            func run() throws {
                Console.answer(try access.call("DELETE", "resources/\(BrokerCommand.checked(path))").canonical)
            }
        }
    }

    struct Policy: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show or set the policy of resources that are stored without one.",
            discussion: """
                Example:
                  cvm-clevis broker policy --policy policy.json --tdx-policy tdx.json --token-file alice.token
                """)

        @OptionGroup var terms: Terms
        @OptionGroup var access: BrokerAccess

        func run() throws {
            guard let policies = try terms.policies() else {
                return Console.answer(try access.call("GET", "policy").canonical)
            }
            let body = SecretBytes(copyingPublic: Array(policies.canonical.utf8))
            Console.answer(try access.call("PUT", "policy", body: body).canonical)
        }
    }

    // MARK: - Revocations and reference values

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a binding or a chip, for good, or list what you revoked.",
            discussion: """
                Example:
                  cvm-clevis broker revoke --binding=3q2-7wABAgMEBQYHCAkKCw --note "laptop stolen" --token-file alice.token
                  cvm-clevis broker revoke --token-file alice.token
                """)

        @Option(help: "A binding's id, 22 characters: see cvm-clevis luks list.") var binding: String?
        @Option(help: "A processor's id in base64url, as in the audit log.") var chip: String?
        @Option(help: "Why, for the list.") var note = ""
        @OptionGroup var access: BrokerAccess

        func validate() throws {
            guard binding == nil || chip == nil else { throw ValidationError("revoke a binding or a chip, one at a time") }
        }

        func run() throws {
            guard binding != nil || chip != nil else {
                return try access.list("revocations", "revocations").forEach { Console.answer($0.canonical) }
            }
            var members: JSONObject = ["note": .string(note)]
            members["binding"] = binding.map { .string($0) }
            members["chip"] = chip.map { .string($0) }
            let body = SecretBytes(copyingPublic: Array(JSON.object(members).canonical.utf8))
            Console.answer(try access.call("POST", "revocations", body: body).canonical)
        }
    }

    struct RefValues: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "refvalues",
            abstract: "Hand in a set of reference values that you signed, or list those that are there.",
            discussion: """
                Example:
                  cvm-clevis broker refvalues root-image.jws --token-file alice.token
                """)

        @Argument(help: "What cvm-clevis refvalues sign wrote; - reads standard input.") var file: String?
        @OptionGroup var access: BrokerAccess

        func run() throws {
            guard let file else {
                return try access.list("reference_sets", "reference-sets").forEach { Console.answer($0.canonical) }
            }
            let limit = 128 << 10
            let set =
                file == "-"
                ? try FileIO.readSecret(STDIN_FILENO, limit: limit, name: "standard input")
                : try FileIO.readSecret(file, limit: limit)
            Console.answer(try access.call("POST", "reference-sets", body: set).canonical)
        }
    }

    // MARK: - The log

    struct Audit: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the broker's decisions about what is yours, oldest first.",
            discussion: """
                Example:
                  cvm-clevis broker audit --last 20 --decision refused --follow --token-file alice.token
                """)

        @Option(help: "How many of the last decisions, up to 500.") var last = 100
        @Option(help: "Only those: granted, refused, malformed or unavailable.") var decision: String?
        @Option(help: "Only of a resource, by its path.") var resource: String?
        @Flag(help: "Go on with what is decided from now on, until interrupted.") var follow = false
        @OptionGroup var access: BrokerAccess

        func validate() throws {
            guard 1...500 ~= last else { throw ValidationError("--last must be 1 to 500") }
        }

        func run() throws {
            var query = ""
            if let decision { query += "&decision=\(try BrokerCommand.checked(decision))" }
            if let resource { query += "&resource=\(try BrokerCommand.checked(resource))" }
            var next = try show(access.call("GET", "audit?limit=\(last)\(query)"))
            while follow {
                sleep(1)
                next = try show(access.call("GET", "audit?after=\(next)\(query)"))
            }
        }

        private func show(_ page: JSON) throws -> String {
            for entry in page["entries"]?.array ?? [] { Console.answer(entry.canonical) }
            guard let next = page["next"]?.string else { throw Failure("the broker's answer has no next") }
            return next
        }
    }

    /// What goes into an address as it is.
    static func checked(_ text: String) throws -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "/"):
                true
            default: false
            }
        }
        guard isPlain else { throw ValidationError("\(text): letters, digits, -, _, . and / only") }
        return text
    }
}
