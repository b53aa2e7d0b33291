// SPDX-License-Identifier: Apache-2.0
// luks-bind-crash IMAGE OWNER.pem PASSPHRASE bind|unbind|replace|sign
//
// Binds a volume to `null`, or removes, replaces or signs one of its tokens, for tests that kill this program at each of its
// writes, or run many of it at once. Exit status 1: an error, in words.
import FileIO
import Glibc
import LUKS
import NullPin
import PinKit

let arguments = CommandLine.arguments
guard arguments.count == 5 else {
    fatalError("usage: luks-bind-crash IMAGE OWNER.pem PASSPHRASE bind|unbind|replace|sign")
}
let volume = Volume(arguments[1])
let passphrase = SecretBytes(copyingPublic: Array(arguments[3].utf8))
let registry = PinRegistry([NullPin()])

func run(_ owner: SigningKey) throws {
    let binding = try Binding(issuedAt: 1_700_000_001, owner: owner, registry: registry)
    let encryptor = try registry.encryptor(named: "null", for: [:], in: binding)
    let new = NewBinding(
        encryptor: encryptor, binding: binding, name: "root", check: .opens(seconds: 10), config: ["of": "a test"])
    switch arguments[4] {
    case "bind": _ = try volume.bind(new, passphrase: passphrase)
    case "unbind": try volume.unbind(.token(1))
    case "replace": _ = try volume.replace(.token(0), holding: firstMessage(), with: new, passphrase: passphrase)
    case "sign":
        let seal = ClevisToken.Seal(issuedAt: binding.issuedAt, id: binding.id, name: "root", instance: nil)
        let statement = try volume.statement(.token(0), seal)
        let resealing = Resealing(message: try firstMessage(), statement: statement, check: .opens(seconds: 10))
        _ = try volume.sign(.token(0), seal, resealing, by: owner, registry: registry)
    default: fatalError("nothing is called \(arguments[4])")
    }
}

func firstMessage() throws -> JWE {
    guard let message = try volume.bindings(registry: registry, owner: nil).first?.message else { fatalError("no binding") }
    return message
}

do {
    try run(SigningKey(pem: FileIO.readSecret(arguments[2], limit: 4096)))
} catch {
    try FileIO.write(2, "\(error)\n")
    exit(1)
}
