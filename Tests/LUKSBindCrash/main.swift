// SPDX-License-Identifier: Apache-2.0
// luks-bind-crash IMAGE OWNER.pem PASSPHRASE bind|unbind
//
// Binds a volume to `null`, or removes its token 1, for a test that kills this program at each of its writes.
import FileIO
import Glibc
import LUKS
import NullPin
import PinKit

let arguments = CommandLine.arguments
guard arguments.count == 5 else { fatalError("usage: luks-bind-crash IMAGE OWNER.pem PASSPHRASE bind|unbind") }
let volume = Volume(arguments[1])
if arguments[4] == "unbind" {
    try volume.unbind(.token(1))
    exit(0)
}
let owner = try SigningKey(pem: FileIO.readSecret(arguments[2], limit: 4096))
let registry = PinRegistry([NullPin()])
let binding = try Binding(issuedAt: 1_700_000_000, owner: owner, registry: registry)
let encryptor = try registry.encryptor(named: "null", for: [:], in: binding)
let new = NewBinding(encryptor: encryptor, binding: binding, name: "root", check: .opens(seconds: 10))
_ = try volume.bind(new, passphrase: SecretBytes(copyingPublic: Array(arguments[3].utf8)))
