// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker
import PinKit

struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "See the keys that replicas share.",
        discussion: """
            Example:
              cvm-clevis-broker keys list /srv/broker
            """,
        subcommands: [List.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the keys, never what they are: purpose, id, state, since when it is used.",
            discussion: """
                A key is next (about to be used; of TLS announced), current, earlier (opens what it made), or retired.

                Example:
                  cvm-clevis-broker keys list /srv/broker
                """)

        @OptionGroup var target: DirectoryArgument
        @Flag(help: "One JSON object per line.") var json = false

        func run() throws {
            for key in try target.directory.keyDescriptions(at: systemSeconds()) {
                print(json ? key.json.canonical : line(key))
            }
        }

        private func line(_ key: KeyDescription) -> String {
            let since = key.activeAt == 0 ? "from the start" : timestamp(key.activeAt)
            return "\(key.purpose.rawValue)  \(key.id)  \(key.state.rawValue)  \(since)"
        }
    }
}
