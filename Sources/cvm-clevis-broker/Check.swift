// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say what is wrong with a configuration file, by line, without serving.",
        discussion: """
            Also looks at what the file names: the directory and its keys, certificates, collateral, revocation lists. Asks nobody
            over the network and opens no port.

            Example:
              cvm-clevis-broker check /etc/cvm-clevis/broker.json
            """)

    @Argument(help: "The file, as serve --config takes it.") var file: String

    func run() throws {
        let configuration = try ConfigurationFile(at: file)
        let problems =
            configuration.problems.isEmpty
            ? BrokerService.problems(of: configuration.settings, line: configuration.line(of:)) : configuration.problems
        for problem in problems {
            printError("\(file):\(problem.line): \(problem.message)")
            if let hint = problem.hint { printError("    hint: \(hint)") }
        }
        guard problems.isEmpty else {
            throw BrokerError("\(file) has \(problems.count) problem\(problems.count == 1 ? "" : "s")")
        }
        print("\(file) is good")
    }
}
