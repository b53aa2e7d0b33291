// SPDX-License-Identifier: Apache-2.0

extension JWE {
    static let agreement = "ECDH-ES+A256KW"

    /// A message to a public key (ECDH-ES+A256KW, RFC 7518 §4.6) whose header is final and whose content is not there yet,
    /// so that a signature over the header can be part of the content.
    public struct Draft: ~Copyable {
        /// base64url of the protected header, as it will stand in the message.
        public let protected: String
        private let header: JSONObject
        private let encryptedKey: [UInt8]
        private let contentKey: SecretBytes

        /// `header` as in ``JWE/encrypt(_:contentKey:header:)``; `alg`, `enc`, `epk` and `kid` (the recipient's thumbprint)
        /// are added.
        public init(to recipient: PublicKey, header: JSONObject) throws(PinError) {
            var header = header
            header["kid"] = .string(recipient.thumbprint)
            try self.init(agreeingWith: CurvePoint(recipient), header: header)
        }

        /// The same to a key on any of the curves, and without `kid`: the header has the three members alg, enc and epk, in this
        /// order, which is the one that clients of the KBS protocol can open.
        package init(to recipient: CurvePoint) throws(PinError) {
            try self.init(agreeingWith: recipient, header: [:])
        }

        private init(agreeingWith recipient: CurvePoint, header: JSONObject) throws(PinError) {
            let ephemeral = try ExchangeKey(generatingOn: recipient.curve)
            var header = header
            header["alg"] = .string(JWE.agreement)
            header["enc"] = "A256GCM"
            header["epk"] = ephemeral.publicPoint.jwk
            guard let shared = try ephemeral.agree(with: recipient) else {
                throw PinError(.failed, step: "wrap a key", detail: "the recipient's key is not on its curve")
            }
            let contentKey = try SecretBytes.random(count: 32)
            self.encryptedKey = try shared.derived(for: JWE.agreement).wrap(contentKey)
            self.header = header
            self.protected = JWE.protected(header)
            self.contentKey = contentKey
        }

        public consuming func seal(_ plaintext: borrowing SecretBytes) throws(PinError) -> JWE {
            try JWE.encrypt(
                plaintext, key: contentKey, encryptedKey: encryptedKey, header: header, protected: protected)
        }
    }

    /// Opens a message made by ``Draft``. `.refused` when the key is not the recipient's or the message was changed.
    public func open(with key: AgreementKey) throws(PinError) -> SecretBytes {
        try requireAlgorithm(JWE.agreement)
        guard header["kid"]?.string == nil || header["kid"]?.string == key.publicKey.thumbprint else {
            throw PinError(.refused, step: "open a JWE", detail: "it is encrypted to another key (kid)")
        }
        guard encryptedKey.count == 40, let epk = header["epk"] else { throw JWE.malformed("no wrapped key of 40 bytes") }
        let point: CurvePoint
        do throws(JSONError) {
            point = try CurvePoint(jwk: epk, at: "epk")
        } catch {
            throw JWE.malformed(error.description)
        }
        guard let shared = try key.agree(with: point),
            let contentKey = try shared.derived(for: JWE.agreement).unwrap(encryptedKey)
        else { throw PinError(.refused, step: "open a JWE", detail: "the wrapped key does not open with this key") }
        return try decryptContent(contentKey)
    }
}
