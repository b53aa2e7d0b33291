// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker
import FileIO
import Glibc

struct RefValues: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "refvalues",
        abstract: "Take in and list reference values: what policies with a reference are judged by.",
        discussion: """
            Owners sign them with cvm-clevis refvalues sign. Of each name only the highest version counts, and none below it is
            taken any more.

            Example:
              cvm-clevis-broker refvalues add /srv/broker root-image.jws
              cvm-clevis-broker refvalues list /srv/broker
            """,
        subcommands: [Add.self, List.self])

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take in a signed set, from now on.",
            discussion: """
                FILE is what cvm-clevis refvalues sign wrote; - reads it from standard input. Its owner must be enrolled.

                Example:
                  cvm-clevis-broker refvalues add /srv/broker root-image.jws
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "The signed set.") var file: String

        func run() throws {
            let added = try Store(in: target.directory).add(references: text(), at: systemSeconds())
            print(
                "\(added.name) version \(added.version) of \(added.ownerName ?? added.owner), until \(timestamp(added.expiresAt))"
            )
            RefValues.warn(of: [added])
        }

        private func text() throws -> String {
            do {
                let limit = 128 << 10
                let bytes =
                    file == "-"
                    ? try FileIO.read(STDIN_FILENO, limit: limit, name: "standard input")
                    : try FileIO.read(file, limit: limit)
                return String(decoding: bytes, as: UTF8.self)
            } catch {
                throw BrokerError("\(error)")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the sets: name, version, end, owner.",
            discussion: """
                Example:
                  cvm-clevis-broker refvalues list /srv/broker
                """)

        @OptionGroup var target: DirectoryArgument

        func run() throws {
            let sets = try Store(in: target.directory).references()
            for set in sets {
                print(
                    "\(set.name)  \(set.version)  \(timestamp(set.expiresAt))  \(set.ownerName ?? "\(set.owner) (not enrolled)")"
                )
            }
            RefValues.warn(of: sets)
        }
    }

    /// Says of each set whose end is near, or past, that it is.
    static func warn(of sets: [StoredReferences]) {
        for warning in sets.compactMap({ $0.warning(at: systemSeconds()) }) {
            printError("cvm-clevis-broker: warning: \(warning)")
        }
    }
}
