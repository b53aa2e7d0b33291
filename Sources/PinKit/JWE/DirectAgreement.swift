// SPDX-License-Identifier: Apache-2.0

extension JWE {
    private static let directAgreement = "ECDH-ES"

    /// Encrypts to a public key with ECDH-ES in direct mode (RFC 7518 §4.6): the agreed key is the content key, and the
    /// encrypted key is empty. `alg`, `enc` and `epk` are added to `header`.
    package static func encrypt(
        _ plaintext: borrowing SecretBytes, agreeingWith recipient: CurvePoint, header: JSONObject
    ) throws(PinError) -> JWE {
        let ephemeral = try OneTimeKey.generate(on: recipient.curve)
        var header = header
        header["alg"] = .string(JWE.directAgreement)
        header["enc"] = "A256GCM"
        header["epk"] = ephemeral.publicPoint.jwk
        let key = try ephemeral.multiply(recipient).contentKey()
        return try encrypt(plaintext, key: key, encryptedKey: [], header: header, protected: protected(header))
    }

    /// The sender's ephemeral point, of a message in direct mode; `.malformed` for any other message.
    package func ephemeralPoint() throws(PinError) -> CurvePoint {
        try requireAlgorithm(JWE.directAgreement)
        guard encryptedKey.isEmpty else { throw JWE.malformed("alg ECDH-ES has no encrypted_key") }
        guard let epk = header["epk"] else { throw JWE.malformed("header has no epk") }
        do throws(JSONError) {
            return try CurvePoint(jwk: epk, at: "epk")
        } catch {
            throw JWE.malformed(error.description)
        }
    }

    /// Opens it with the point that the recipient's key and ``ephemeralPoint()`` agree on. `.refused` for another point.
    package func open(agreed point: borrowing SecretPoint) throws(PinError) -> SecretBytes {
        _ = try ephemeralPoint()
        return try decryptContent(point.contentKey())
    }
}
