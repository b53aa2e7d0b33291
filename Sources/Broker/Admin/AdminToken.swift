// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
public import PinKit

/// What the store knows of a bearer token: everything but the secret.
public struct AdminToken: Sendable, Equatable {
    /// 16 hexadecimal digits, no secret: for lists, the audit log, and to revoke it.
    public let id: String
    /// Thumbprint of whose token it is; nil for an operator's.
    public let owner: String?
    public let scopes: [AdminScope]
    /// In the operator's words.
    public let note: String
    /// SHA-256 of the SubjectPublicKeyInfo of the client certificate that it must come with; nil where it comes with any or none.
    public let pin: [UInt8]?
    /// Seconds since 1970.
    public let createdAt: Int64
    /// From when on it is refused; 0 for never.
    public let expiresAt: Int64
    /// The start of the last day, UTC, on which it was used; 0 for never.
    public let usedAt: Int64

    public func isExpired(at now: Int64) -> Bool { expiresAt != 0 && now >= expiresAt }

    /// One object, for `token list --json`.
    public var json: JSON {
        var members: JSONObject = [
            "created_at": .integer(createdAt), "expires_at": .integer(expiresAt), "id": .string(id), "note": .string(note),
            "scopes": .array(scopes.map { .string($0.rawValue) }), "used_at": .integer(usedAt),
        ]
        members["owner"] = owner.map { .string($0) }
        members["client_pin"] = pin.map { .string(Base64URL.encode($0)) }
        return .object(members)
    }
}

/// A token as its bearer sends it: `cvmt.ID.SECRET`, ID in hexadecimal, so that it never begins like an option,
/// SECRET in base64url.
///
/// The secret is 32 random bytes, so a plain SHA-256 of it, which is all that the store has, cannot be searched.
struct BearerToken: Sendable {
    static let prefix = "cvmt"
    private static let idCount = 8
    private static let secretCount = 32

    let id: String
    /// SHA-256 of the secret.
    let hash: [UInt8]

    /// nil where `text` has another form: what is sent in place of a token is never looked up.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard text.utf8.count < 128, parts.count == 3, parts[0] == Self.prefix,
            Hex.decode(parts[1])?.count == Self.idCount, let hash = Self.hash(ofSecret: Array(parts[2].utf8))
        else { return nil }
        id = String(parts[1])
        self.hash = hash
    }

    private static func hash(ofSecret text: [UInt8]) -> [UInt8]? {
        unsafe text.withUnsafeBytes { text in
            guard let secret = unsafe SecretBytes(decodingBase64URL: text), secret.count == secretCount else { return nil }
            return hash(of: secret)
        }
    }

    private static func hash(of secret: borrowing SecretBytes) -> [UInt8] {
        unsafe secret.sha256.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// A new one, and its text, which exists nowhere else.
    static func make() throws(PinError) -> NewBearerToken {
        let secret = try SecretBytes.random(count: secretCount)
        let id = Hex.encode(try Random.bytes(idCount))
        let hash = hash(of: secret)
        let text = SecretBytes(copyingPublic: Array("\(prefix).\(id).".utf8)).appending(secret.base64URL)
        return NewBearerToken(token: BearerToken(id: id, hash: hash), text: text)
    }

    private init(id: String, hash: [UInt8]) {
        self.id = id
        self.hash = hash
    }

    /// Takes the same time wherever the two differ.
    func matches(_ stored: [UInt8]) -> Bool {
        SecretBytes(copyingPublic: hash).equals(SecretBytes(copyingPublic: stored))
    }
}

struct NewBearerToken: ~Copyable {
    let token: BearerToken
    let text: SecretBytes
}
