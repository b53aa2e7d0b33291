// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import PinKit

struct Decrypt: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Decrypt the JWE on standard input; the secret goes to standard output.",
        discussion: """
            Example:
              cvm-clevis decrypt <secret.jwe >secret
            """)

    @Option(help: "Give up after this many seconds.")
    var timeout = Decrypt.defaultTimeout

    func run() throws { try Decrypt.decrypt(timeout: timeout) }

    static let defaultTimeout = 10

    static func decrypt(timeout: Int = defaultTimeout) throws {
        let message = try Input.message()
        let secret = try PolicyWalk(registry: Pins.registry, deadline: .after(seconds: timeout)).recover(message)
        try FileIO.write(1, secret, name: "standard output")
    }
}
