// SPDX-License-Identifier: Apache-2.0
import FileIO
import PinKit

/// The owner's key and what a pin's configuration may leave out, in a directory that `cvm-clevis init` makes:
/// `owner.pem` (0600), `owner.pub.jwk` (to give away) and `defaults.json`.
struct Defaults {
    static let limit = 256 << 10

    let directory: String
    /// Per pin name, members of its configuration.
    var pins: JSONObject

    var ownerPath: String { "\(directory)/owner.pem" }
    var publicKeyPath: String { "\(directory)/owner.pub.jwk" }
    var path: String { "\(directory)/defaults.json" }

    /// What is in `directory`; nothing at all is an empty value.
    init(in directory: String = Paths.configuration) throws {
        self.directory = directory
        self.pins = [:]
        guard FileIO.exists(path) else { return }
        do {
            var reader = try JSONReader(JSON(parsing: FileIO.read(path, limit: Defaults.limit)))
            _ = try reader.integer("version", in: 1...1)
            pins = try reader.required("pins").object ?? [:]
            try reader.finish()
        } catch let error as JSONError {
            throw Failure("\(path): \(error)", hint: "mend the file, or move it away and run 'cvm-clevis init' again")
        }
    }

    func write() throws {
        let json: JSON = ["version": 1, "pins": .object(pins)]
        try FileIO.replace(path, Array("\(json.pretty)\n".utf8))
    }

    var hasOwner: Bool { FileIO.exists(ownerPath) }

    /// The owner's key, or nil where `init` was never run.
    func owner() throws -> SigningKey? {
        guard hasOwner else { return nil }
        do {
            return try SigningKey(pem: FileIO.readSecret(ownerPath, limit: Defaults.limit))
        } catch let error as PinError {
            throw Failure("\(ownerPath): \(error)")
        }
    }

    func makeOwner() throws -> SigningKey {
        let key = try SigningKey.generate()
        try FileIO.createSecret(ownerPath, key.pem())
        return key
    }
}
