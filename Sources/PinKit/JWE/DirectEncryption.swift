// SPDX-License-Identifier: Apache-2.0

extension JWE {
    /// Encrypts under a 32-byte content key that the pin gives back later: `alg` dir (RFC 7518 §4.5).
    ///
    /// `header` holds what the pin needs, `{"clevis":{"pin":…}}`; `alg` and `enc` are added here. The text is what clevis
    /// writes: members sorted, no spaces.
    public static func encrypt(
        _ plaintext: borrowing SecretBytes, contentKey: borrowing SecretBytes, header: JSONObject
    ) throws(PinError) -> JWE {
        var header = header
        header["alg"] = "dir"
        header["enc"] = "A256GCM"
        return try encrypt(plaintext, key: contentKey, encryptedKey: [], header: header, protected: protected(header))
    }

    public func decrypt(contentKey: borrowing SecretBytes) throws(PinError) -> SecretBytes {
        try requireAlgorithm("dir")
        guard encryptedKey.isEmpty else { throw JWE.malformed("alg dir has no encrypted_key") }
        return try decryptContent(contentKey)
    }
}
