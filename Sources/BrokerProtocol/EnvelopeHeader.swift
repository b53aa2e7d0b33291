// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What an envelope says in the clear: for whom it is, by whom, and under which policy the broker may open it.
///
/// Stands in the JWE's protected header, so the envelope's tag and the owner's signature cover every byte of it.
public struct EnvelopeHeader: Sendable, Equatable {
    public let platform: Platform
    /// Thumbprint of the broker's envelope key (`kid`).
    public let brokerKeyID: String
    /// 16 random bytes in base64url: the binding's name, which a revocation gives.
    public let id: String
    /// Seconds since 1970.
    public let issuedAt: Int64
    /// Thumbprint of the key that signed the content.
    public let owner: String
    /// The platform's policy language; here only known to be an object.
    public let policy: JSON
    /// SHA-256 of the broker's TLS SubjectPublicKeyInfo, or of two, one after the other, where the next one is known; nil for
    /// ordinary verification by certificate authorities.
    public let tls: [UInt8]?
    public let url: BrokerURL
}

extension EnvelopeHeader {
    /// What goes into the JWE's header beside what the key agreement adds: `{"clevis":{"pin":…,PIN:{…}}}`.
    var members: JSONObject {
        var terms: JSONObject = [
            "id": .string(id), "iat": .integer(issuedAt), "owner": .string(owner), "policy": policy,
            "url": .string(url.text),
        ]
        if let tls { terms["tls"] = .string(Base64URL.encode(tls)) }
        return ["clevis": .object(["pin": .string(platform.pin), platform.pin: .object(terms)])]
    }

    /// Reads the header of a message that claims to be an envelope: exactly the members of docs/spec/envelope.md.
    init(of message: JWE) throws(PinError) {
        try message.requireAlgorithm("ECDH-ES+A256KW")
        // One header has one text, so that nothing can be said twice in two ways.
        guard Base64URL.encode(JSON.object(message.header).canonical.utf8) == message.protected else {
            throw Envelope.malformed("the header is not canonical JSON")
        }
        do throws(JSONError) {
            try self.init(reading: message.header)
        } catch {
            throw Envelope.malformed("header: \(error)")
        }
    }

    private init(reading header: JSONObject) throws(JSONError) {
        var reader = JSONReader(header)
        _ = reader.optional("alg")
        _ = reader.optional("enc")
        let ephemeral = try reader.required("epk")
        guard try PublicKey(jwk: ephemeral, at: "epk").jwk == ephemeral else {
            throw reader.error(at: "epk", "must hold crv, kty, x and y only")
        }
        brokerKeyID = try reader.name("kid", bytes: 32)
        var clevis = try reader.reader("clevis")
        try reader.finish()

        let pin = try clevis.string("pin")
        platform = try Platform(pin: pin, in: clevis)
        var terms = try clevis.reader(pin)
        try clevis.finish()

        id = try terms.name("id", bytes: 16)
        issuedAt = try terms.integer("iat", in: 0...(1 << 53))
        owner = try terms.name("owner", bytes: 32)
        policy = try terms.required("policy")
        guard policy.object != nil else { throw terms.error(at: "policy", "must be an object") }
        tls = try terms.optionalTLSPins("tls")
        url = try BrokerURL(try terms.string("url"), at: "clevis.\(pin).url")
        try terms.finish()
    }
}

extension JSONReader {
    /// base64url text of `count` bytes, kept as the text: a thumbprint or a random name.
    fileprivate mutating func name(_ member: String, bytes count: Int) throws(JSONError) -> String {
        Base64URL.encode(try base64URL(member, count: count))
    }
}
