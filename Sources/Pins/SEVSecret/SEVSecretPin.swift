// SPDX-License-Identifier: Apache-2.0
internal import FileIO
public import PinKit
internal import TEE

/// A secret that an owner lets the firmware put into an SEV or SEV-ES guest's memory when it is launched: there only if what
/// was launched is what the owner expects.
///
/// For machines that cannot do better: see docs/spec/pins.md §8, which has the format, too.
public struct SEVSecretPin: OneTimePin {
    public let name = "sev-secret"
    private let directory: SecretDirectory

    public init() { directory = SecretDirectory() }

    /// For tests: another directory than the kernel's.
    package init(directory: String) { self.directory = SecretDirectory(path: directory) }

    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        try SEVSecretEncryptor(configuration)
    }

    public func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        try message.requireAlgorithm("dir")
        let header = try SEVSecretHeader(message)
        return try message.decrypt(contentKey: header.form.key(of: directory.read(header.guid)))
    }

    public func forget(_ message: JWE) throws(PinError) {
        try directory.remove(SEVSecretHeader(message).guid)
    }
}

/// Makes the secret and puts it where the owner says.
struct SEVSecretEncryptor: Encryptor {
    private let file: String
    private let header: SEVSecretHeader

    init(_ configuration: JSON) throws(PinError) {
        do throws(JSONError) {
            var reader = try JSONReader(configuration)
            file = try reader.string("file")
            guard !file.isEmpty, !file.utf8.contains(0) else { throw reader.error(at: "file", "is not the name of a file") }
            let form = try SecretForm(mode: reader.optionalString("mode"), reader)
            let guid = try SEVSecretHeader.guid(&reader)
            try reader.finish()
            guard guid == nil || form == .key else {
                throw reader.error(at: "guid", "cannot be chosen for a passphrase: GRUB looks for one name only")
            }
            let name = if let guid { guid } else { try form.usualGUID() }
            header = SEVSecretHeader(guid: name, form: form)
        } catch {
            throw PinError(.malformed, step: "configuration", detail: error.description)
        }
    }

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        let key = try SecretBytes.random(count: SecretForm.keyLength)
        let header: JSONObject = ["clevis": ["pin": "sev-secret", "sev-secret": self.header.json]]
        let message = try JWE.encrypt(secret, contentKey: key, header: header)
        do throws(FileError) {
            try FileIO.createSecret(file, self.header.form == .key ? key : key.base64URL)
        } catch {
            throw PinError(.failed, step: "put the secret into its file", detail: error.description)
        }
        return message
    }
}
