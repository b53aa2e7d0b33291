// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker
import FileIO
import Glibc
import PinKit

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make, list and revoke tokens: what owners administer their things with over HTTP.",
        discussion: """
            They count where the configuration file turns that on (docs/spec/broker.md).

            Example:
              cvm-clevis-broker token create /srv/broker alice --expires 30d --scope resource --output alice.token
              cvm-clevis-broker token list /srv/broker
            """,
        subcommands: [Create.self, List.self, Revoke.self])

    private static func scope(_ name: String) throws -> AdminScope {
        guard let scope = AdminScope(rawValue: name) else { throw ValidationError("there is no scope \(name)") }
        return scope
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token of an owner, shown this once.",
            discussion: """
                It is printed, or goes to a new file that only you can read; the broker keeps a hash.

                Example:
                  cvm-clevis-broker token create /srv/broker alice --expires 30d --scope revoke --scope audit > alice.token
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "Name or thumbprint.") var owner: Selector?
        @Flag(help: "In place of an owner's: a token that enrols owners and can do nothing else.") var `operator` = false
        @Option(
            help: "What it may do, once for each: audit, refvalues, resource, revoke. By default all of these.",
            transform: TokenCommand.scope)
        var scope: [AdminScope] = []
        @Option(help: "What it is for, for the list.") var note = ""
        @Option(help: "Days, such as 90d, a moment, such as 2026-11-24T16:50:00Z, or never.") var expires = Expiry.days(90)
        @Option(help: ArgumentHelp("PEM file: the client certificate whose key it must come with.", valueName: "file"))
        var clientCert: String?
        @Option(help: ArgumentHelp("The file to make, in place of standard output.", valueName: "file"))
        var output: String?

        func validate() throws {
            guard `operator` == (owner == nil) else { throw ValidationError("a token is an owner's, or --operator") }
        }

        func run() throws {
            let now = systemSeconds()
            let all = `operator` ? [.owner] : AdminScope.ofOwners
            let terms = TokenTerms(
                owner: owner?.text, scopes: scope.isEmpty ? all : all.filter { scope.contains($0) } + unsuited(all),
                note: note, expiresAt: expires.seconds(from: now), pin: try clientCert.map(BrokerDirectory.certificatePin))
            let made = try Store(in: target.directory).createToken(terms, at: now)
            let line = made.text.appending(SecretBytes(copyingPublic: [UInt8(ascii: "\n")]))
            do throws(FileError) {
                if let output {
                    try FileIO.createSecret(output, line)
                } else {
                    try FileIO.write(STDOUT_FILENO, line, name: "standard output")
                }
            } catch {
                try Store(in: target.directory).revokeToken(made.token.id)
                throw BrokerError("\(error): the token was revoked again")
            }
            printError("made token \(made.token.id): it is not shown again")
        }

        /// Left in, so that they are refused by who knows.
        private func unsuited(_ all: [AdminScope]) -> [AdminScope] { scope.filter { !all.contains($0) } }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the tokens: id, end, last day of use, owner, scopes, note.",
            discussion: """
                Example:
                  cvm-clevis-broker token list /srv/broker --owner alice --json
                """)

        @OptionGroup var target: DirectoryArgument
        @Option(help: "Only an owner's: name or thumbprint.") var owner: Selector?
        @Flag(help: "One JSON object per line.") var json = false

        func run() throws {
            let store = try Store(in: target.directory)
            let owners = try store.owners()
            let owner = try owner.map { try store.owner($0.text).thumbprint }
            for token in try store.tokens(owner: owner) { print(json ? token.json.canonical : line(token, owners)) }
        }

        private func line(_ token: AdminToken, _ owners: [Owner]) -> String {
            let expired = token.isExpired(at: systemSeconds()) ? "expired " : ""
            let end = token.expiresAt == 0 ? "never" : expired + timestamp(token.expiresAt)
            let used = token.usedAt == 0 ? "unused" : String(timestamp(token.usedAt).prefix(10))
            let owner = token.owner.map { thumbprint in owners.first { $0.thumbprint == thumbprint }?.name ?? thumbprint }
            let scopes = token.scopes.map(\.rawValue).joined(separator: ",")
            return [token.id, end, used, owner ?? "operator", scopes, token.note].joined(separator: "  ")
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a token useless, at once and for good.",
            discussion: """
                Example:
                  cvm-clevis-broker token revoke /srv/broker 0011223344556677
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "The token's id, as token list prints it.") var id: String

        func run() throws {
            let revoked = try Store(in: target.directory).revokeToken(id)
            print("revoked token \(revoked.id)")
        }
    }
}

/// When a token ends.
enum Expiry: ExpressibleByArgument {
    case days(Int64)
    case moment(Int64)
    case never

    private static let maximumDays: Int64 = 36_500

    init?(argument: String) {
        if argument == "never" {
            self = .never
        } else if argument.hasSuffix("d"), let days = Int64(argument.dropLast()), (1...Self.maximumDays).contains(days) {
            self = .days(days)
        } else if let moment = Moment(argument: argument), moment.seconds > 0 {
            self = .moment(moment.seconds)
        } else {
            return nil
        }
    }

    /// 0 for never.
    func seconds(from now: Int64) -> Int64 {
        switch self {
        case .days(let days): now + days * 86_400
        case .moment(let seconds): seconds
        case .never: 0
        }
    }

    var defaultValueDescription: String { "90d" }
}
