// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker

struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Revoke a binding or a chip, for good, and list what is revoked.",
        discussion: """
            Example:
              cvm-clevis-broker revoke binding /srv/broker alice 3q2-7wABAgMEBQYHCAkKCw --note "laptop stolen"
              cvm-clevis-broker revoke list /srv/broker
            """,
        subcommands: [Binding.self, Chip.self, List.self])

    struct Binding: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke one binding of an owner.",
            discussion: """
                Example:
                  cvm-clevis-broker revoke binding /srv/broker alice 3q2-7wABAgMEBQYHCAkKCw
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "Name or thumbprint of the owner.") var owner: Selector
        @Argument(help: "The binding's id, 22 characters: see cvm-clevis luks list, or the audit log.") var id: Selector
        @Option(help: "Why, for the list.") var note = ""

        func run() throws {
            let store = try Store(in: target.directory)
            let owner = try store.owner(owner.text)
            try store.revoke(.binding(id.text, owner: owner.thumbprint), note: note, at: systemSeconds())
            print("revoked binding \(id.text) of \(owner.name)")
        }
    }

    struct Chip: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a processor, for everybody or for one owner.",
            discussion: """
                Example:
                  cvm-clevis-broker revoke chip /srv/broker CHIP --owner alice
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "The chip's id in base64url, as in the audit log.") var chip: Selector
        @Option(help: "Name or thumbprint; everybody where it is left out.") var owner: Selector?
        @Option(help: "Why, for the list.") var note = ""

        func run() throws {
            let store = try Store(in: target.directory)
            let owner = try owner.map { try store.owner($0.text) }
            try store.revoke(.chip(chip.text, owner: owner?.thumbprint), note: note, at: systemSeconds())
            print("revoked chip \(chip.text) for \(owner?.name ?? "everybody")")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List what is revoked, oldest first.",
            discussion: """
                Example:
                  cvm-clevis-broker revoke list /srv/broker
                """)

        @OptionGroup var target: DirectoryArgument

        func run() throws {
            for revocation in try Store(in: target.directory).revocations() {
                print("\(timestamp(revocation.revokedAt))  \(words(revocation.subject))  \(revocation.note)")
            }
        }

        private func words(_ subject: Revocation.Subject) -> String {
            switch subject {
            case .binding(let id, let owner): "binding \(id) of \(owner)"
            case .chip(let chip, let owner): "chip \(chip) for \(owner ?? "everybody")"
            }
        }
    }
}
