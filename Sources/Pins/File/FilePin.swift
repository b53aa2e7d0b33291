// SPDX-License-Identifier: Apache-2.0
internal import FileIO
public import PinKit

/// A secret that comes back where a file with its key is: on a stick, or on a volume that is opened first.
///
/// Wire-compatible with clevis' `file` in both directions. Configuration: `{"name":"PATH"}`; the file is made, and must not
/// exist before. Format: docs/spec/pins.md §6.
public struct FilePin: Pin {
    /// Bytes of the file.
    static let maximumLength = 4 << 10

    public let name = "file"

    public init() {}

    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        FileEncryptor(path: try FilePin.path(configuration, step: "configuration"))
    }

    /// The path is the header's: whoever could write that could name any file, but learns nothing of it.
    public func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        try message.requireAlgorithm("dir")
        let path = try FilePin.path(message.parameters ?? .null, step: "read a file header")
        let text: SecretBytes
        do throws(FileError) {
            text = try FileIO.readSecret(path, limit: FilePin.maximumLength)
        } catch {
            throw PinError(.unavailable, step: "read the key", detail: error.description)
        }
        do throws(PinError) {
            return try message.decrypt(contentKey: KeyText.read(text))
        } catch {
            throw PinError(error.code, step: error.step, detail: "\(path): \(error.detail)")
        }
    }

    private static func path(_ json: JSON, step: String) throws(PinError) -> String {
        do throws(JSONError) {
            var reader = try JSONReader(json)
            let path = try reader.string("name")
            try reader.finish()
            guard !path.isEmpty, !path.utf8.contains(0) else { throw reader.error(at: "name", "is not the name of a file") }
            return path
        } catch {
            throw PinError(.malformed, step: step, detail: error.description)
        }
    }
}

private struct FileEncryptor: Encryptor {
    let path: String

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        let key = try SecretBytes.random(count: 32)
        let header: JSONObject = ["clevis": ["file": ["name": .string(path)], "pin": "file"]]
        let message = try JWE.encrypt(secret, contentKey: key, header: header)
        do throws(FileError) {
            try FileIO.createSecret(path, KeyText.write(key))
        } catch {
            throw PinError(.failed, step: "make the key", detail: error.description)
        }
        return message
    }
}
