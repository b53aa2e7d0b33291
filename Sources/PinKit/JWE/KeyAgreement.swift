// SPDX-License-Identifier: Apache-2.0
internal import CJose

extension JWE {
    static let agreement = "ECDH-ES+A256KW"

    /// A message to a public key (ECDH-ES+A256KW, RFC 7518 §4.6) whose header is final and whose content is not there yet,
    /// so that a signature over the header can be part of the content.
    public struct Draft: ~Copyable {
        /// base64url of the protected header, as it will stand in the message.
        public let protected: String
        private let header: JSONObject
        private let encryptedKey: [UInt8]
        private let contentKey: ContentKey

        /// `header` as in ``JWE/encrypt(_:contentKey:header:)``; `alg`, `enc`, `epk` and `kid` (the recipient's thumbprint)
        /// are added.
        public init(to recipient: PublicKey, header: JSONObject) throws(PinError) {
            var header = header
            header["kid"] = .string(recipient.thumbprint)
            try self.init(agreeingWith: recipient.jwk, header: header)
        }

        /// The same to a key on any of the curves, and without `kid`: the header has the three members alg, enc and epk, in this
        /// order, which is the one that clients of the KBS protocol can open.
        package init(to recipient: CurvePoint) throws(PinError) {
            try self.init(agreeingWith: recipient.jwk, header: [:])
        }

        private init(agreeingWith recipient: JSON, header: JSONObject) throws(PinError) {
            var header = header
            header["alg"] = .string(JWE.agreement)
            header["enc"] = "A256GCM"
            let message: JSON = ["protected": .object(header)]
            let tree = unsafe message.makeTree()
            let recipientTree = unsafe recipient.makeTree()
            let keyTree = unsafe JSON.object([:]).makeTree()
            defer {
                unsafe json_decref(tree)
                unsafe json_decref(recipientTree)
            }
            guard unsafe jose_jwe_enc_jwk(nil, tree, nil, recipientTree, keyTree) else {
                unsafe json_decref(keyTree)
                throw PinError(.failed, step: "wrap a key", detail: "libjose refused the recipient's key: not on its curve?")
            }
            let contentKey = try unsafe ContentKey(adopting: keyTree)
            // libjose leaves epk in the unprotected header, where nothing authenticates it.
            guard let wrapped = try? unsafe JSON(reading: tree, depth: 0),
                let ephemeral = wrapped["header"]?["epk"],
                let key = wrapped["encrypted_key"]?.string.flatMap({ Base64URL.decode($0) })
            else { throw PinError(.failed, step: "wrap a key", detail: "libjose wrote no ephemeral key") }
            header["epk"] = try Draft.strip(ephemeral)
            self.header = header
            self.protected = Base64URL.encode(Array(JSON.object(header).canonical.utf8))
            self.encryptedKey = key
            self.contentKey = contentKey
        }

        public consuming func seal(_ plaintext: borrowing SecretBytes) throws(PinError) -> JWE {
            try contentKey.encrypt(plaintext, header: header, encryptedKey: encryptedKey)
        }

        private static func strip(_ ephemeral: JSON) throws(PinError) -> JSON {
            do {
                return try CurvePoint(jwk: ephemeral).jwk
            } catch {
                throw PinError(.failed, step: "wrap a key", detail: error.description)
            }
        }
    }

    /// Opens a message made by ``Draft``. `.refused` when the key is not the recipient's or the message was changed.
    public func open(with key: AgreementKey) throws(PinError) -> SecretBytes {
        try requireAlgorithm(JWE.agreement)
        guard header["kid"]?.string == nil || header["kid"]?.string == key.publicKey.thumbprint else {
            throw PinError(.refused, step: "open a JWE", detail: "it is encrypted to another key (kid)")
        }
        guard encryptedKey.count == 40, header["epk"] != nil else { throw JWE.malformed("no wrapped key of 40 bytes") }
        let sealed = unsafe flattened.makeTree()
        defer { unsafe json_decref(sealed) }
        let unwrapped = unsafe key.withTree { unsafe jose_jwe_dec_jwk(nil, sealed, nil, $0) }
        guard let unwrapped = unsafe unwrapped else {
            throw PinError(.refused, step: "open a JWE", detail: "the wrapped key does not open with this key")
        }
        return try unsafe ContentKey(adopting: unwrapped).decrypt(self)
    }
}
