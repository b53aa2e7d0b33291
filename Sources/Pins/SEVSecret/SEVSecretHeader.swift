// SPDX-License-Identifier: Apache-2.0
internal import PinKit
internal import TEE

/// `clevis.sev-secret` of a message: which entry of the area of secrets opens it.
struct SEVSecretHeader {
    let guid: SecretGUID
    let form: SecretForm

    init(guid: SecretGUID, form: SecretForm) {
        self.guid = guid
        self.form = form
    }

    init(_ message: JWE) throws(PinError) {
        do throws(JSONError) {
            var reader = try JSONReader(message.parameters ?? .null)
            form = try SecretForm(mode: reader.optionalString("mode"), reader)
            guard let guid = try Self.guid(&reader) else { throw reader.error(at: "guid", "is missing") }
            try reader.finish()
            self.guid = guid
        } catch {
            throw PinError(.malformed, step: "read a sev-secret header", detail: error.description)
        }
    }

    var json: JSON {
        var members: JSONObject = ["guid": .string(guid.description)]
        if form == .passphrase { members["mode"] = "passphrase" }
        return .object(members)
    }

    static func guid(_ reader: inout JSONReader) throws(JSONError) -> SecretGUID? {
        guard let text = try reader.optionalString("guid") else { return nil }
        guard let guid = SecretGUID(text) else {
            throw reader.error(at: "guid", "must be a GUID in lower case, as 736869e5-84f0-4973-92ec-06879ce3da0b is one")
        }
        return guid
    }
}

/// What an entry holds.
enum SecretForm {
    /// The content key.
    case key
    /// The content key as text, which GRUB reads as the passphrase of a keyslot of its own.
    case passphrase

    static let keyLength = 32
    /// Characters of a key in base64url.
    private static let textLength = 43

    init(mode: String?, _ reader: JSONReader) throws(JSONError) {
        switch mode {
        case nil: self = .key
        case "passphrase": self = .passphrase
        default: throw reader.error(at: "mode", "must be passphrase, or left out")
        }
    }

    /// The name of a new entry where the owner chooses none.
    func usualGUID() throws(JSONError) -> SecretGUID {
        guard self == .key else { return .diskPassphrase }
        do throws(PinError) {
            return try SecretGUID.random()
        } catch {
            throw JSONError(place: "guid", problem: error.description)
        }
    }

    /// The content key in `entry`. `.refused` for anything else.
    func key(of entry: borrowing SecretBytes) throws(PinError) -> SecretBytes {
        switch self {
        case .key:
            guard entry.count == Self.keyLength else { throw Self.unlike(entry, "\(Self.keyLength) bytes") }
            return entry.copy()
        case .passphrase:
            // GRUB wants a zero byte behind it.
            let isEnded = unsafe entry.withUnsafeBytes { unsafe $0.count == Self.textLength + 1 && $0[Self.textLength] == 0 }
            guard isEnded || entry.count == Self.textLength, let text = entry.slice(0..<Self.textLength) else {
                throw Self.unlike(entry, "\(Self.textLength) characters and a zero byte")
            }
            let key = unsafe text.withUnsafeBytes { unsafe SecretBytes(decodingBase64URL: $0) }
            guard let key else { throw Self.unlike(entry, "a key in base64url") }
            return key
        }
    }

    private static func unlike(_ entry: borrowing SecretBytes, _ wanted: String) -> PinError {
        PinError(.refused, step: "read the secret", detail: "the entry has \(entry.count) bytes, which are not \(wanted)")
    }
}
