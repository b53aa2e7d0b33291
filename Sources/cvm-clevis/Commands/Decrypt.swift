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

    @OptionGroup var patience: Patience

    func run() throws { try Decrypt.decrypt(timeout: patience.timeout) }

    /// `pin`: the only one whose messages are opened, if one is named.
    static func decrypt(madeBy pin: String? = nil, timeout: Int = Patience.standard) throws {
        let message = try Input.message()
        guard pin == nil || message.pin == pin else {
            throw Failure("the message is one of pin \(message.pin ?? "?"), not \(pin ?? "")")
        }
        let deadline = Pins.deadline(seconds: timeout, for: [message])
        let secret = try PolicyWalk(registry: Pins.registry, deadline: deadline).recover(message)
        try FileIO.write(1, secret, name: "standard output")
        for leftover in Pins.registry.forget(message) { Console.warn("\(leftover)") }
    }
}
