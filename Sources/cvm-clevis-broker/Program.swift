// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker
import Glibc
import PinKit

/// The key broker's command line: reads arguments and prints; what is done is done in `Broker`.
///
/// Exit codes: 0 done; 1 it failed, with one line on standard error and often a hint; 2 the command line makes no sense.
@main
struct Program: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cvm-clevis-broker",
        abstract: "A guest owner's key broker: opens envelopes for confidential VMs whose evidence its owners want.",
        discussion: """
            A broker is a directory: keys, a database, and public.json for its owners.

            Exit status: 0 done, 1 failed (one line says why), 2 wrong usage.

            Example:
              cvm-clevis-broker init /srv/broker --url https://broker.example:8443
              cvm-clevis-broker owner add /srv/broker alice alice.jwk
              cvm-clevis-broker serve /srv/broker --listen 0.0.0.0:8443
            """,
        version: programVersion,
        subcommands: [
            Init.self, OwnerCommand.self, TokenCommand.self, RepositoryCommand.self, RefValues.self, ResourceCommand.self,
            Revoke.self, Audit.self, BackUp.self, Restore.self, Rotate.self, Keys.self, Rekey.self, Serve.self, Check.self,
        ])

    static func main() async {
        do {
            var command = try parseAsRoot(CommandLine.arguments.dropFirst().map(Selector.marked))
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch let error as BrokerError {
            complain(error)
            exit(withError: ExitCode.failure)
        } catch  where exitCode(for: error).isSuccess {
            exit(withError: error)
        } catch {
            let words = Selector.unmarked(message(for: error))
            complain(BrokerError(lowercasingFirst(words), hint: "see: cvm-clevis-broker --help"))
            Glibc.exit(2)
        }
    }

    private static func lowercasingFirst(_ text: String) -> String { text.prefix(1).lowercased() + text.dropFirst() }

    private static func complain(_ error: BrokerError) {
        printError("cvm-clevis-broker: error: \(error)")
        if let hint = error.hint { printError("cvm-clevis-broker: hint: \(hint)") }
    }
}

/// A line on standard error.
func printError(_ line: String) { write(line, to: STDERR_FILENO) }

/// A line on standard output, at once: somebody may wait for it at the other end of a pipe.
func printNow(_ line: String) { write(line, to: STDOUT_FILENO) }

private func write(_ line: String, to descriptor: Int32) {
    let bytes = Array((line + "\n").utf8)
    _ = unsafe Glibc.write(descriptor, bytes, bytes.count)
}

/// The argument that every command takes first.
struct DirectoryArgument: ParsableArguments {
    @Argument(help: "The broker's directory.")
    var dir: String

    @Option(
        help: ArgumentHelp(
            "The PostgreSQL server that holds what the broker remembers, if not what init was given: postgres://USER@HOST/DATABASE.",
            valueName: "url"))
    var store: String?

    var directory: BrokerDirectory { BrokerDirectory(dir, store: store) }
}
