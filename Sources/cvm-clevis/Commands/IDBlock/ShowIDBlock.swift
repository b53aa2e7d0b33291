// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LaunchInput
import PinKit
import TEE

struct ShowIDBlock: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show an ID block, and verify the signatures that go with it.",
        discussion: """
            Exit status 1 where a signature does not hold.

            Example:
              cvm-clevis id-block show id-block.b64 id-auth.b64
            """)

    @Argument(help: "The block: base64, or a file with it or with its 96 bytes.")
    var block: String

    @Argument(help: "What authenticates it: base64, or a file with it or with its 4096 bytes.")
    var authentication: String?

    @Flag(help: "Answer with JSON.")
    var json = false

    func run() throws {
        let block = try IDBlock(Self.bytes(block, count: 96))
        let authentication = try authentication.map { try IDAuthentication(Self.bytes($0, count: 4096), of: block) }
        if authentication == nil { Console.warn("nothing says who signed it: give the authentication data, too") }
        let digests = authentication.map { IDKeyDigests(authentication: $0).members } ?? [:]
        if json {
            var object = block.json
            for member in digests.members { object[member.name] = member.value }
            return Console.answer(JSON.object(object).canonical)
        }
        for member in block.json.members {
            Console.answer("\(member.name): \(member.value.string ?? member.value.canonical)")
        }
        if authentication != nil { Console.answer("signatures: verified\npolicy: \(JSON.object(digests).canonical)") }
    }

    /// As text on the command line, as a file with that text, or as a file with the bytes themselves.
    private static func bytes(_ argument: String, count: Int) throws -> [UInt8] {
        if !FileIO.exists(argument), let bytes = Base64.decode(argument) { return bytes }
        let content = try FileIO.read(argument, limit: 8192)
        if content.count == count { return content }
        let text = String(decoding: content, as: UTF8.self).split(separator: "\n").first ?? ""
        guard let bytes = Base64.decode(text) else {
            throw Failure("\(argument): neither \(count) bytes nor base64 of them")
        }
        return bytes
    }
}
