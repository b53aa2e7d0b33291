// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker
import FileIO
import Glibc
import PinKit

struct ResourceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resource",
        abstract: "Store secrets for clients of the KBS protocol, each under the policy that releases it.",
        discussion: """
            A resource is an owner's, at REPOSITORY/TYPE/TAG, and goes to guests whose evidence meets its policy: one for each
            platform that may have it, as cvm-clevis policy learn writes them.

            Example:
              cvm-clevis-broker resource set /srv/broker default/disk/root key.bin --owner alice --policy snp.json
              cvm-clevis-broker resource list /srv/broker
            """,
        subcommands: [Set.self, NewKey.self, GetInfo.self, List.self, Remove.self])

    /// Whose a resource is, and who gets it.
    struct Terms: ParsableArguments {
        @Option(help: "Whose it is: name or thumbprint.") var owner: Selector
        @Option(help: ArgumentHelp("The policy for AMD SEV-SNP guests.", valueName: "file")) var policy: String?
        @Option(help: ArgumentHelp("The policy for Intel TDX guests.", valueName: "file")) var tdxPolicy: String?

        func validate() throws {
            guard policy != nil || tdxPolicy != nil else {
                throw ValidationError("a resource needs --policy or --tdx-policy, or both")
            }
        }

        func policies() throws -> JSON {
            var policies: JSONObject = [:]
            for (name, file) in [("snp", policy), ("tdx", tdxPolicy)] {
                policies[name] = try file.map(read)
            }
            return .object(policies)
        }

        private func read(_ file: String) throws -> JSON {
            do {
                return try JSON(parsing: FileIO.read(file, limit: 64 << 10))
            } catch let error as JSONError {
                throw BrokerError("\(file): \(error)")
            } catch {
                throw BrokerError("\(error)")
            }
        }
    }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Store a file, in place of what the owner had there.",
            discussion: """
                FILE is stored as it is, up to 64 KiB; - reads it from standard input.

                Example:
                  cvm-clevis-broker resource set /srv/broker default/disk/root - --owner alice --policy snp.json < key.bin
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "REPOSITORY/TYPE/TAG.") var path: String
        @Argument(help: "What to store.") var file: String
        @OptionGroup var terms: Terms

        func run() throws {
            try ResourceCommand.store(content(), at: path, terms, in: target.directory)
        }

        private func content() throws -> SecretBytes {
            let limit = Store.resourceCount.upperBound
            do throws(FileError) {
                return file == "-"
                    ? try FileIO.readSecret(STDIN_FILENO, limit: limit, name: "standard input")
                    : try FileIO.readSecret(file, limit: limit)
            } catch {
                throw BrokerError("\(error)")
            }
        }
    }

    struct NewKey: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key that nobody sees, in the form that clevis-pin-trustee reads.",
            discussion: """
                It is {"key_type":"oct","key":"…"} with 32 characters, which are the key. An existing one is replaced, and what
                was encrypted with it is lost.

                Example:
                  cvm-clevis-broker resource new-key /srv/broker default/7c9f/root --owner alice --policy snp.json
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "REPOSITORY/TYPE/TAG.") var path: String
        @OptionGroup var terms: Terms

        func run() throws {
            let key: SecretBytes
            do throws(PinError) {
                key = try SecretBytes.random(count: 24)
            } catch {
                throw BrokerError("\(error)")
            }
            let text = SecretBytes(copyingPublic: Array(#"{"key":""#.utf8)).appending(key.base64URL)
                .appending(SecretBytes(copyingPublic: Array(#"","key_type":"oct"}"#.utf8)))
            try ResourceCommand.store(text, at: path, terms, in: target.directory)
        }
    }

    struct GetInfo: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "get-info", abstract: "Say of a resource whose it is and who gets it; never what it is.",
            discussion: """
                Example:
                  cvm-clevis-broker resource get-info /srv/broker default/disk/root
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "REPOSITORY/TYPE/TAG.") var path: String
        @Flag(help: "One JSON object.") var json = false

        func run() throws {
            let store = try Store(in: target.directory)
            let resource = try store.resource(ResourcePath(path))
            if json { return print(resource.json.canonical) }
            print(try ResourceCommand.line(resource, store.owners()))
            print(resource.policy.pretty)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the resources: path, size, since when, owner.",
            discussion: """
                Example:
                  cvm-clevis-broker resource list /srv/broker --owner alice --json
                """)

        @OptionGroup var target: DirectoryArgument
        @Option(help: "Only an owner's: name or thumbprint.") var owner: Selector?
        @Flag(help: "One JSON object per line.") var json = false

        func run() throws {
            let store = try Store(in: target.directory)
            let owners = try store.owners()
            let owner = try owner.map { try store.owner($0.text).thumbprint }
            for resource in try store.resources(owner: owner) {
                print(json ? resource.json.canonical : ResourceCommand.line(resource, owners))
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a resource, for good.",
            discussion: """
                Example:
                  cvm-clevis-broker resource remove /srv/broker default/disk/root
                """)

        @OptionGroup var target: DirectoryArgument
        @Argument(help: "REPOSITORY/TYPE/TAG.") var path: String

        func run() throws {
            let removed = try Store(in: target.directory).remove(resource: ResourcePath(path))
            print("removed \(removed.path)")
        }
    }

    private static func store(
        _ content: borrowing SecretBytes, at path: String, _ terms: Terms, in directory: BrokerDirectory
    ) throws {
        let stored = try Store(in: directory).set(
            content, at: ResourcePath(path), owner: terms.owner.text, policy: terms.policies(),
            sealedBy: directory.resourceSealer(), now: systemSeconds())
        print("stored \(stored.path), \(stored.size) bytes, for guests that meet the policy")
    }

    private static func line(_ resource: StoredResource, _ owners: [Owner]) -> String {
        let owner = owners.first { $0.thumbprint == resource.owner }?.name ?? "\(resource.owner) (not enrolled)"
        return "\(resource.path)  \(resource.size)  \(timestamp(resource.setAt))  \(owner)"
    }
}
