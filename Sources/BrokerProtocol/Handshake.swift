// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// The versions of the KBS attestation protocol that clients in the field speak. Each Trustee release takes one of them only.
public enum KBSVersion: String, Sendable, CaseIterable {
    /// Trustee 0.10 and 0.11: answers are encrypted with RSA1_5, in a form of their own.
    case v0_1_1 = "0.1.1"
    /// Trustee 0.12 and 0.13.
    case v0_2_0 = "0.2.0"
    /// From Trustee 0.14 on, and our own `unseal`.
    case v0_4_0 = "0.4.0"
}

/// `POST /kbs/v0/auth`: asks for a nonce.
public struct AuthRequest: Message, Equatable {
    public static let maximumLength = 4 << 10

    public let tee: Platform
    public let version: KBSVersion

    public init(tee: Platform, version: KBSVersion = .v0_4_0) {
        self.tee = tee
        self.version = version
    }

    /// `extra-params` may say anything: it is there for platforms that have to agree on a hash.
    public init(_ json: JSON) throws(JSONError) {
        var reader = try JSONReader(json)
        guard let version = KBSVersion(rawValue: try reader.string("version")) else {
            let known = KBSVersion.allCases.map(\.rawValue).joined(separator: ", ")
            throw reader.error(at: "version", "must be one of \(known)")
        }
        self.version = version
        tee = try Platform(tee: try reader.string("tee"), at: "tee")
        _ = reader.optional("extra-params")
        try reader.finish()
    }

    public var json: JSON {
        ["version": .string(version.rawValue), "tee": .string(tee.rawValue), "extra-params": [:]]
    }
}

/// The answer to ``AuthRequest``.
public struct Challenge: Message, Equatable {
    public static let maximumLength = 4 << 10
    public static let nonceCount = 32

    /// Standard base64 of ``nonceCount`` bytes. Goes back to the broker, and into report data, as this text.
    public let nonce: String

    public init(nonce: [UInt8]) {
        precondition(nonce.count == Challenge.nonceCount, "a nonce is \(Challenge.nonceCount) bytes")
        self.nonce = Base64.encode(nonce)
    }

    public init(_ json: JSON) throws(JSONError) {
        var reader = try JSONReader(json)
        nonce = try reader.nonce("nonce")
        _ = reader.optional("extra-params")
        try reader.finish()
    }

    public var json: JSON { ["nonce": .string(nonce), "extra-params": ""] }
}

/// The body of every answer that is not 200.
public struct KBSError: Message, Equatable {
    public static let maximumLength = 16 << 10
    static let typePrefix = "https://github.com/confidential-containers/kbs/errors/"

    /// What went wrong, as the last part of `type`, with the HTTP status it travels under. A struct, so that it can grow.
    public struct Variant: Sendable, Equatable {
        public let name: String
        public let status: Int

        public init(name: String, status: Int) {
            self.name = name
            self.status = status
        }

        public static let malformedRequest = Variant(name: "MalformedRequest", status: 400)
        /// The nonce is not ours, too old, or used. A new handshake may succeed.
        public static let nonceRefused = Variant(name: "NonceRefused", status: 401)
        public static let evidenceRefused = Variant(name: "EvidenceRefused", status: 403)
        /// No session, or one that is over: a new handshake may succeed.
        public static let unauthenticated = Variant(name: "Unauthenticated", status: 401)
        /// What the guest is does not meet the policy of what it asks for.
        public static let policyDeny = Variant(name: "PolicyDeny", status: 403)
        public static let notFound = Variant(name: "NotFound", status: 404)
        public static let bodyTooLarge = Variant(name: "BodyTooLarge", status: 413)
        public static let unavailable = Variant(name: "Unavailable", status: 503)
    }

    public let name: String
    /// For people; one line.
    public let detail: String

    public init(_ variant: Variant, detail: String) {
        self.name = variant.name
        self.detail = printable(detail)
    }

    /// Members other than `type` and `detail` are a later server's, and no reason to lose the message.
    public init(_ json: JSON) throws(JSONError) {
        var reader = try JSONReader(json)
        let type = try reader.string("type")
        guard type.hasPrefix(KBSError.typePrefix) else { throw reader.error(at: "type", "is no error of this protocol") }
        name = printable(String(type.dropFirst(KBSError.typePrefix.count)), limit: 64)
        detail = printable(try reader.optionalString("detail") ?? "")
    }

    public var json: JSON { ["type": .string(KBSError.typePrefix + name), "detail": .string(detail)] }
}
