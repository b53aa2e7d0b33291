// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker

struct BackUp: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup", abstract: "Write the store to one file, as it is at one moment.",
        discussion: """
            A broker may serve meanwhile. FILE must not exist. Keys and resources in it are sealed with resource.key: keep that one
            elsewhere, and audit.pem with it.

            Example:
              cvm-clevis-broker backup /srv/broker /backup/broker-2026-11-24
            """)

    @OptionGroup var target: DirectoryArgument
    @Argument(help: "The file to make.") var file: String

    func run() throws {
        let rows = try Store(in: target.directory).backUp(to: file, at: systemSeconds())
        print("wrote \(rows) rows; keys and resources in them open with \(target.dir)/resource.key only")
    }
}

struct Restore: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take a backup into a new broker's store.",
        discussion: """
            The store must have no owners, resources or log; the backup may be of a store of the other kind. With the same resource.key
            that broker goes on, with audit.pem its chain, too. Heads that were kept (audit verify --head) tell what is lost since.

            Example:
              cvm-clevis-broker init /srv/new --resource-key /safe/resource.key
              cp -p /safe/audit.pem /srv/new/
              cvm-clevis-broker restore /srv/new /backup/broker-2026-11-24
            """)

    @OptionGroup var target: DirectoryArgument
    @Argument(help: "The backup.") var file: String

    func run() throws {
        let rows = try target.directory.restore(from: file, now: systemSeconds())
        print("restored \(rows) rows")
    }
}
