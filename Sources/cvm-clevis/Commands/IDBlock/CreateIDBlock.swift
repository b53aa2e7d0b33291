// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LaunchInput
import PinKit
import TEE

struct CreateIDBlock: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Sign a launch measurement.",
        discussion: """
            Keys are private keys on P-384 in PEM. The answer goes into QEMU's -object sev-snp-guest,…; what a policy says of
            the keys is printed beside it.

            Example:
              openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out id.pem
              cvm-clevis id-block create --id-key id.pem --svn 2 \\
                --measurement "$(cvm-clevis measure snp --firmware OVMF.fd --vcpus 4)"
            """)

    @Option(help: ArgumentHelp("The key that signs the block.", valueName: "pem"))
    var idKey: String

    @Option(help: ArgumentHelp("The key that signs the ID key, if there is one.", valueName: "pem"))
    var authorKey: String?

    @Option(help: ArgumentHelp("The launch measurement: see 'measure snp'.", valueName: "hex"))
    var measurement: String

    @Option(help: "The image's security version: higher for one that closes a hole.")
    var svn: UInt32

    @Option(help: ArgumentHelp("The guest policy that it must be launched with.", valueName: "number"))
    var policy = GuestPolicyNumber()

    @Option(help: ArgumentHelp("FAMILY_ID, 16 bytes.", valueName: "hex"))
    var familyId: String?

    @Option(help: ArgumentHelp("IMAGE_ID, 16 bytes.", valueName: "hex"))
    var imageId: String?

    @Option(help: ArgumentHelp("Write id-block.b64 and id-auth.b64 there instead.", valueName: "directory"))
    var output: String?

    @Flag(help: "Answer with JSON.")
    var json = false

    func run() throws {
        let block = IDBlock(
            measurement: try Self.bytes(measurement, 48, "--measurement"),
            familyID: try familyId.map { try Self.bytes($0, 16, "--family-id") } ?? [UInt8](repeating: 0, count: 16),
            imageID: try imageId.map { try Self.bytes($0, 16, "--image-id") } ?? [UInt8](repeating: 0, count: 16),
            guestSVN: svn, policy: policy.value)
        if block.policy.contains(.debug) { Console.warn("the policy lets the host debug the guest") }
        let author = try authorKey.map(Self.key)
        let authentication = try IDAuthentication(block, idKey: Self.key(idKey), author: author)
        try answer(block, authentication)
        guard !json else { return }
        Console.say("policy: \(JSON.object(IDKeyDigests(authentication: authentication).members).canonical)")
    }

    private func answer(_ block: IDBlock, _ authentication: IDAuthentication) throws {
        let (blockText, authText) = (Base64.encode(block.bytes), Base64.encode(authentication.bytes))
        if let output {
            try FileIO.makeDirectory(output)
            try FileIO.replace("\(output)/id-block.b64", Array(blockText.utf8))
            try FileIO.replace("\(output)/id-auth.b64", Array(authText.utf8))
        }
        if json {
            var object: JSONObject = ["id_auth": .string(authText), "id_block": .string(blockText)]
            object["policy"] = .object(IDKeyDigests(authentication: authentication).members)
            Console.answer(JSON.object(object).canonical)
        } else if output == nil {
            let author = authentication.authorKeyDigest == nil ? "off" : "on"
            Console.answer("id-block=\(blockText),id-auth=\(authText),author-key-enabled=\(author)")
        }
    }

    private static func key(_ path: String) throws -> P384Key {
        do {
            return try P384Key(pem: FileIO.readSecret(path, limit: 64 << 10))
        } catch let error as PinError {
            throw Failure(
                "\(path): \(error.detail)",
                hint: "make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out \(path)")
        }
    }

    private static func bytes(_ text: String, _ count: Int, _ option: String) throws -> [UInt8] {
        guard let bytes = Hex.decode(text), bytes.count == count else {
            throw ValidationError("\(option) takes \(2 * count) hexadecimal digits")
        }
        return bytes
    }
}

/// A guest policy in hexadecimal.
struct GuestPolicyNumber: ExpressibleByArgument {
    /// Simultaneous threads, and what is always set.
    var value: SNPGuestPolicy = [.smt, .reservedOne]

    init() {}

    init?(argument: String) {
        guard argument.hasPrefix("0x"), let value = UInt64(argument.dropFirst(2), radix: 16),
            SNPGuestPolicy(rawValue: value).contains(.reservedOne)
        else { return nil }
        self.value = SNPGuestPolicy(rawValue: value)
    }

    var defaultValueDescription: String { "0x\(String(value.rawValue, radix: 16))" }
}
