// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
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

    /// A secret is a key, not a document.
    static let limit = 64 << 10

    func run() throws {
        Console.answer(try Encrypt.encrypt(to: pin, Input.configuration(configuration)).compact)
    }

    /// Standard input under `pin`.
    static func encrypt(to pin: String, _ configuration: JSON) throws -> JWE {
        let encryptor = try Pins.registry.encryptor(named: pin, for: configuration, in: Pins.binding(Defaults()))
        return try encryptor.encrypt(FileIO.readSecret(0, limit: limit, name: "standard input"))
    }
}
