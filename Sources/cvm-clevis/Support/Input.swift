// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import Glibc
import PinKit

/// What commands read: configurations, messages, passphrases.
enum Input {
    static let configurationLimit = 256 << 10
    static let passphraseLimit = 8 << 10

    /// A pin's configuration: JSON on the command line, or `@FILE`. Nothing is `{}`.
    static func configuration(_ argument: String?) throws -> JSON {
        guard let argument else { return [:] }
        let isFile = argument.hasPrefix("@")
        let source = isFile ? String(argument.dropFirst()) : "the configuration"
        let text = isFile ? try FileIO.read(source, limit: configurationLimit) : Array(argument.utf8)
        do {
            return try JSON(parsing: text, limit: configurationLimit)
        } catch {
            throw Failure("\(source) is not JSON: \(error)")
        }
    }

    /// A JSON file.
    static func json(_ path: String) throws -> JSON {
        do {
            return try JSON(parsing: FileIO.read(path, limit: configurationLimit))
        } catch let error as JSONError {
            throw Failure("\(path) is not JSON: \(error)")
        }
    }

    /// A message on standard input.
    static func message() throws -> JWE {
        guard isatty(0) == 0 else { throw ValidationError("expected a JWE on standard input") }
        let text = try FileIO.read(0, limit: JWE.maximumLength + 1, name: "standard input")
        return try JWE(compact: String(decoding: text, as: UTF8.self))
    }

    /// A passphrase that opens the volume now: the whole of a key file, the first line of standard input, or what a person
    /// types.
    static func passphrase(keyFile: String?, prompt: String) throws -> SecretBytes {
        if let keyFile, keyFile != "-" { return try FileIO.readSecret(keyFile, limit: passphraseLimit) }
        let isTerminal = isatty(0) == 1
        if isTerminal { try FileIO.write(2, prompt, name: "terminal") }
        defer { if isTerminal { Console.say("") } }
        return try Terminal.hidingTyping(on: 0) { () throws(FileError) in
            try FileIO.readSecret(0, limit: passphraseLimit, line: true, name: "standard input")
        }
    }
}
