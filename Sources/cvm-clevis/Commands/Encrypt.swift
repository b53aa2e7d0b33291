// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import Glibc
import PinKit

struct Encrypt: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Encrypt standard input under a pin; the JWE goes to standard output.",
        discussion: """
            Example:
              cvm-clevis encrypt sss '{"t":2,"pins":{"snp-attest":{},"null":{}}}' <secret >secret.jwe
            """)

    @Argument(help: "The pin: \(Pins.registry.names.joined(separator: ", ")).")
    var pin: String

    @Argument(help: "Its configuration: JSON, or @FILE.")
    var configuration: String?

    @Flag(name: .short, help: "Trust the keys of tang servers without a question.")
    var yes = false

    /// A secret is a key, not a document.
    static let limit = 64 << 10

    func run() throws {
        guard isatty(0) == 0 else { throw ValidationError("expected the plaintext on standard input") }
        let message = try Encrypt.encrypt(to: pin, Input.configuration(configuration), trustingTang: yes)
        try FileIO.write(1, isatty(1) == 1 ? "\(message.compact)\n" : message.compact)
    }

    /// Standard input under `pin`.
    static func encrypt(to pin: String, _ configuration: JSON, trustingTang: Bool) throws -> JWE {
        let binding = try Pins.binding(Defaults(), Pins.registry(trustingTang: trustingTang))
        let encryptor = try Pins.encryptor(named: pin, for: configuration, in: binding)
        return try encryptor.encrypt(FileIO.readSecret(0, limit: limit, name: "standard input"))
    }
}
