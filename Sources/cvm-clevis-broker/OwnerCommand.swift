// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker
import FileIO
import Glibc
import PinKit

struct OwnerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "owner", abstract: "Enrol, list and remove owners: the keys whose envelopes this broker opens.",
        discussion: """
            Example:
              cvm-clevis-broker owner add /srv/broker alice alice.jwk
              cvm-clevis-broker owner list /srv/broker
            """,
        subcommands: [Add.self, List.self, Remove.self, NotBefore.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Enrol an owner's public key.",
            discussion: """
                FILE holds the owner's public key as a JWK; - reads it from standard input.

                Example:
                  cvm-clevis-broker owner add /srv/broker alice alice.jwk
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "What to call the owner.") var name: String
        @Argument(help: "The owner's public key, a P-256 JWK.") var file: String

        func run() throws {
            let owner = try Store(in: target.directory).enrol(name, key(), at: systemSeconds())
            print("enrolled \(owner.name) \(owner.thumbprint)")
        }

        private func key() throws -> PublicKey {
            do {
                let limit = 16 << 10
                let text =
                    file == "-"
                    ? try FileIO.read(STDIN_FILENO, limit: limit, name: "standard input")
                    : try FileIO.read(file, limit: limit)
                return try PublicKey(jwk: JSON(parsing: text))
            } catch let error as JSONError {
                throw BrokerError(
                    "\(file) is not a public key: \(error)",
                    hint: "a P-256 public key as a JWK: {\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":…,\"y\":…}")
            } catch let error as FileError {
                throw BrokerError("\(error)")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the owners: thumbprint, enrolment, not-before, name.",
            discussion: """
                Example:
                  cvm-clevis-broker owner list /srv/broker
                """)

        @OptionGroup var target: DirectoryArgument

        func run() throws {
            for owner in try Store(in: target.directory).owners() {
                let limit = owner.notBefore == 0 ? "-" : timestamp(owner.notBefore)
                print("\(owner.thumbprint)  \(timestamp(owner.enrolledAt))  \(limit)  \(owner.name)")
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an owner: the envelopes stay closed from now on.",
            discussion: """
                What was revoked for the owner stays revoked, should the key be enrolled again. The owner's tokens are gone for good.

                Example:
                  cvm-clevis-broker owner remove /srv/broker alice
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "Name or thumbprint.") var owner: Selector

        func run() throws {
            let removed = try Store(in: target.directory).remove(owner: owner.text)
            print("removed \(removed.name) \(removed.thumbprint)")
        }
    }

    struct NotBefore: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse what an owner issued before a moment.",
            discussion: """
                Bind the volumes anew first: this retires every older binding of the owner at once.

                Example:
                  cvm-clevis-broker owner not-before /srv/broker alice now
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "Name or thumbprint.") var owner: Selector
        @Argument(help: "Seconds since 1970, or now; 0 allows all again.") var moment: String

        func run() throws {
            guard let seconds = moment == "now" ? systemSeconds() : Int64(moment), seconds >= 0 else {
                throw ValidationError("\(moment) is neither now nor seconds since 1970")
            }
            let changed = try Store(in: target.directory).setNotBefore(seconds, ofOwner: owner.text)
            print("\(changed.name): refuses what was issued before \(timestamp(seconds))")
        }
    }
}
