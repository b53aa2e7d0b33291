// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// The end of one replica's audit chain as it was at a moment, under the replica's signature: a JWS (RFC 7515) in compact form,
/// ES256 (docs/spec/broker.md §6.2). Who keeps one can tell later whether anything before it was changed or cut off.
public struct AuditHead: Sendable, Equatable {
    /// Thumbprint of the replica's audit key.
    public let replica: String
    /// How many entries the chain has.
    public let sequence: Int64
    /// SHA-256 of the last of them, see ``AuditChain``.
    public let hash: [UInt8]
    /// Seconds since 1970.
    public let at: Int64
    /// The text as it is handed out.
    public let compact: String

    /// Of a head's text: three times what one has.
    public static let maximumLength = 2 << 10

    private static let type = "cvm-clevis-audit-head+jwt"
    private static let step = "audit head"

    init(replica key: SigningKey, sequence: Int64, hash: [UInt8], at now: Int64) throws(PinError) {
        replica = key.publicKey.thumbprint
        self.sequence = sequence
        self.hash = hash
        at = now
        let claims: JSON = [
            "at": .integer(now), "hash": .string(Base64URL.encode(hash)), "seq": .integer(sequence),
        ]
        let input = [Self.header(replica), claims].map { Base64URL.encode(Array($0.canonical.utf8)) }.joined(separator: ".")
        compact = "\(input).\(Base64URL.encode(try key.sign(Array(input.utf8))))"
    }

    /// Reads the text, and leaves open whether the signature is anybody's. Throws `.malformed`.
    public init(parsing compact: String) throws(PinError) {
        let parts = compact.utf8.count <= Self.maximumLength ? compact.split(separator: ".") : []
        guard parts.count == 3, let header = Base64URL.decode(parts[0]), let claims = Base64URL.decode(parts[1]) else {
            throw PinError(.malformed, step: Self.step, detail: "not a JWS: three parts of base64url with dots between them")
        }
        do throws(JSONError) {
            let header = try JSON(parsing: header)
            guard let replica = header["kid"]?.string, header == Self.header(replica) else {
                throw JSONError(place: "header", problem: "must be ES256, \(Self.type), and a thumbprint as kid")
            }
            var reader = try JSONReader(JSON(parsing: claims))
            at = try reader.integer("at", in: 0...Int64.max)
            sequence = try reader.integer("seq", in: 0...Int64.max)
            guard let hash = Base64URL.decode(try reader.string("hash")), hash.count == AuditChain.hashLength else {
                throw JSONError(place: "hash", problem: "must be \(AuditChain.hashLength) bytes in base64url")
            }
            try reader.finish()
            self.replica = replica
            self.hash = hash
            self.compact = compact
        } catch {
            throw PinError(.malformed, step: Self.step, detail: "\(error)")
        }
    }

    /// Whether `key` is the replica's and signed this.
    func isSigned(by key: PublicKey) -> Bool {
        guard key.thumbprint == replica, let dot = compact.lastIndex(of: "."),
            let signature = Base64URL.decode(compact[compact.index(after: dot)...])
        else { return false }
        return key.verifies(signature, over: Array(compact[..<dot].utf8))
    }

    private static func header(_ replica: String) -> JSON {
        ["alg": "ES256", "kid": .string(replica), "typ": .string(type)]
    }
}
