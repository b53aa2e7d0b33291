// SPDX-License-Identifier: Apache-2.0

/// An encrypted message with everything that matters inside its protected header (RFC 7516), as clevis stores them:
/// compact (`header.key.iv.ciphertext.tag`), or flattened JSON inside a LUKS2 token.
///
/// A value only: parsing checks the form and does no cryptography. What is signed or authenticated is ``protected``, the text
/// as received, never a re-encoding of ``header``.
public struct JWE: Sendable, Equatable {
    /// Limits on one message from outside.
    public static let maximumLength = 256 << 10

    /// base64url of the protected header exactly as it was read or written: the AAD.
    public let protected: String
    public let header: JSONObject
    public let encryptedKey: [UInt8]
    /// 12 bytes.
    public let iv: [UInt8]
    public let ciphertext: [UInt8]
    /// 16 bytes.
    public let tag: [UInt8]

    package init(
        protected: String, encryptedKey: [UInt8], iv: [UInt8], ciphertext: [UInt8], tag: [UInt8]
    ) throws(PinError) {
        guard iv.count == 12 else { throw JWE.malformed("iv is \(iv.count) bytes, not 12") }
        guard tag.count == 16 else { throw JWE.malformed("tag is \(tag.count) bytes, not 16") }
        self.init(
            header: try JWE.parseHeader(protected), protected: protected, encryptedKey: encryptedKey, iv: iv,
            ciphertext: ciphertext, tag: tag)
    }

    /// `protected` is the text of `header`.
    init(
        header: JSONObject, protected: String, encryptedKey: [UInt8], iv: [UInt8], ciphertext: [UInt8], tag: [UInt8]
    ) {
        self.header = header
        self.protected = protected
        self.encryptedKey = encryptedKey
        self.iv = iv
        self.ciphertext = ciphertext
        self.tag = tag
    }

    /// Parses the compact form. One newline at the end is allowed, since clevis prints one on terminals.
    public init(compact text: some StringProtocol) throws(PinError) {
        guard text.utf8.count <= JWE.maximumLength else {
            throw JWE.malformed("longer than \(JWE.maximumLength) characters")
        }
        let trimmed = text.hasSuffix("\n") ? String(text.dropLast()) : String(text)
        let parts = trimmed.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 5 else { throw JWE.malformed("\(parts.count) parts between dots instead of 5") }
        try self.init(
            protected: String(parts[0]),
            encryptedKey: JWE.bytes(parts[1], "encrypted_key"), iv: JWE.bytes(parts[2], "iv"),
            ciphertext: JWE.bytes(parts[3], "ciphertext"), tag: JWE.bytes(parts[4], "tag"))
    }

    public var compact: String {
        ([protected] + [encryptedKey, iv, ciphertext, tag].map { Base64URL.encode($0) }).joined(separator: ".")
    }

    /// Parses the flattened JSON form. `encrypted_key` may be missing; an unprotected `header` is ignored, as clevis does.
    public init(flattened json: JSON) throws(PinError) {
        var reader: JSONReader
        let protected, encryptedKey, iv, ciphertext, tag: String
        do {
            reader = try JSONReader(json, at: "jwe")
            protected = try reader.string("protected")
            encryptedKey = try reader.optionalString("encrypted_key") ?? ""
            iv = try reader.string("iv")
            ciphertext = try reader.string("ciphertext")
            tag = try reader.string("tag")
            _ = reader.optional("header")
            try reader.finish()
        } catch {
            throw PinError(.malformed, step: "read a JWE", detail: error.description)
        }
        try self.init(
            protected: protected,
            encryptedKey: JWE.bytes(encryptedKey, "encrypted_key"), iv: JWE.bytes(iv, "iv"),
            ciphertext: JWE.bytes(ciphertext, "ciphertext"), tag: JWE.bytes(tag, "tag"))
    }

    /// All five members, `encrypted_key` even where it is empty: udisks2 wants it.
    public var flattened: JSON {
        [
            "ciphertext": .string(Base64URL.encode(ciphertext)),
            "encrypted_key": .string(Base64URL.encode(encryptedKey)),
            "iv": .string(Base64URL.encode(iv)),
            "protected": .string(protected),
            "tag": .string(Base64URL.encode(tag)),
        ]
    }

    /// SHA-256 of the compact form: what a binding's signature and a report's data name this message by.
    public var digest: [UInt8] { Digest.sha256(Array(compact.utf8)) }

    private static func parseHeader(_ protected: String) throws(PinError) -> JSONObject {
        guard let text = Base64URL.decode(protected) else { throw malformed("protected header is not base64url") }
        do {
            guard let header = try JSON(parsing: text).object else { throw malformed("protected header is not an object") }
            return header
        } catch let error as JSONError {
            throw malformed("protected header: \(error)")
        } catch {
            throw malformed("protected header is not an object")
        }
    }

    private static func bytes(_ text: some StringProtocol, _ name: String) throws(PinError) -> [UInt8] {
        guard let bytes = Base64URL.decode(text) else { throw malformed("\(name) is not base64url") }
        return bytes
    }

    package static func malformed(_ detail: String) -> PinError {
        PinError(.malformed, step: "read a JWE", detail: detail)
    }
}

extension JWE {
    /// The pin that made this message: `clevis.pin` of its header.
    public var pin: String? { header["clevis"]?["pin"]?.string }

    /// The pin's own part of the header: `clevis.NAME`.
    public var parameters: JSON? { pin.flatMap { header["clevis"]?[$0] } }

    /// Throws unless the header says exactly `alg` and A256GCM and asks for nothing more: the header must not choose the
    /// algorithm (RFC 8725 §3.1).
    public func requireAlgorithm(_ algorithm: String) throws(PinError) {
        guard header["alg"]?.string == algorithm else { throw JWE.malformed("alg is not \(algorithm)") }
        guard header["enc"]?.string == "A256GCM" else { throw JWE.malformed("enc is not A256GCM") }
        for name in ["zip", "crit", "p2s", "p2c", "apu", "apv"] where header[name] != nil {
            throw JWE.malformed("header member \(name) is not allowed")
        }
    }
}
