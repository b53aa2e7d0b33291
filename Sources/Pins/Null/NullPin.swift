// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// The pin that protects nothing: its key stands in the header. For tests, demonstrations, and a share of a policy that is
/// meant to be free.
///
/// Wire-compatible with clevis' `null`: `{"clevis":{"null":{"jwk":{…}},"pin":"null"}}`. The configuration is `{}`, or
/// `{"fail":true}` for a message that nobody can open.
public struct NullPin: Pin {
    public let name = "null"

    public init() {}

    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        do {
            var reader = try JSONReader(configuration)
            let fail = try reader.optionalBool("fail") ?? false
            try reader.finish()
            return NullEncryptor(fail: fail)
        } catch {
            throw PinError(.malformed, step: "configuration", detail: error.description)
        }
    }

    public func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        guard let key = message.parameters?["jwk"] else {
            throw PinError(.refused, step: "decrypt", detail: "it was made to fail: its header holds no key")
        }
        guard key["kty"]?.string == "oct", let bytes = key["k"]?.string.flatMap({ Base64URL.decode($0) }) else {
            throw PinError(.malformed, step: "decrypt", detail: "clevis.null.jwk is not a symmetric key")
        }
        return try message.decrypt(contentKey: SecretBytes(copyingPublic: bytes))
    }
}

private struct NullEncryptor: Encryptor {
    let fail: Bool

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        // The key is published in the header, so an array is as good a place as any.
        let key = try Random.bytes(32)
        let jwk: JSON = [
            "alg": "A256GCM", "k": .string(Base64URL.encode(key)), "key_ops": ["encrypt", "decrypt"], "kty": "oct",
        ]
        let header: JSONObject = ["clevis": ["null": fail ? [:] : ["jwk": jwk], "pin": "null"]]
        return try JWE.encrypt(secret, contentKey: SecretBytes(copyingPublic: key), header: header)
    }
}
