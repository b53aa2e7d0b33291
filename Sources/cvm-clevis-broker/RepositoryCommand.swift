// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker

struct RepositoryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repository", abstract: "Give repositories to owners, who may then store resources in them over HTTP.",
        discussion: """
            A resource's path begins with a repository. One that is an owner's has no other owner's resources, so that none can find out
            what others have.

            Example:
              cvm-clevis-broker repository give /srv/broker default alice
              cvm-clevis-broker repository list /srv/broker
            """,
        subcommands: [Give.self, List.self, Take.self])

    struct Give: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give a repository to an owner.",
            discussion: """
                Example:
                  cvm-clevis-broker repository give /srv/broker default alice
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "The first part of its resources' paths.") var repository: String
        @Argument(help: "Name or thumbprint.") var owner: Selector

        func run() throws {
            let given = try Store(in: target.directory).giveRepository(repository, toOwner: owner.text)
            print("repository \(given.name) is \(owner.text)'s")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the repositories that are somebody's: name, owner.",
            discussion: """
                Example:
                  cvm-clevis-broker repository list /srv/broker
                """)

        @OptionGroup var target: DirectoryArgument

        func run() throws {
            let store = try Store(in: target.directory)
            let owners = try store.owners()
            for repository in try store.repositories() {
                let owner = owners.first { $0.thumbprint == repository.owner }?.name
                print("\(repository.name)  \(owner ?? "\(repository.owner) (not enrolled)")")
            }
        }
    }

    struct Take: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a repository from its owner; what is in it stays.",
            discussion: """
                Example:
                  cvm-clevis-broker repository take /srv/broker default
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "The first part of its resources' paths.") var repository: String

        func run() throws {
            try Store(in: target.directory).takeRepository(repository)
            print("repository \(repository) is nobody's")
        }
    }
}
