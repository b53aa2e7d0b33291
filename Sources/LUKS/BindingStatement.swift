// SPDX-License-Identifier: Apache-2.0
package import PinKit

/// What an owner signs when a binding is complete (docs/spec/luks-token.md, "Statement"): this JWE opens this keyslot of the
/// volume that has this key, this segment and this UUID.
package struct BindingStatement: Sendable {
    package static let label = "cvm-clevis binding v1"

    package let json: JSON

    /// `.malformed` for a token without a seal, or one that does not belong to exactly one keyslot of `header`.
    package init(_ token: ClevisToken, in header: Header) throws(LUKSError) {
        guard let seal = token.seal else {
            throw LUKSError(.refused, step: "signature", detail: "the token has none")
        }
        guard token.keyslots.count == 1, let keyslot = header.keyslots[token.keyslots[0]] else {
            throw LUKSError(.malformed, step: "signature", detail: "the token does not belong to exactly one keyslot")
        }
        var members: JSONObject = [
            "af": keyslot.af, "area": keyslot.area, "digest": header.digest, "iat": .integer(seal.issuedAt),
            "id": .string(seal.id), "jwe": .string(Base64URL.encode(token.jwe.digest)), "kdf": keyslot.kdf,
            "name": .string(seal.name), "segment": header.segment, "uuid": .string(header.uuid),
        ]
        members["instance"] = seal.instance.map { .string($0) }
        members["config"] = token.config.map { .object($0) }
        self.json = .object(members)
    }

    /// Label, a zero byte, canonical JSON.
    package var message: [UInt8] { Array(BindingStatement.label.utf8) + [0] + Array(json.canonical.utf8) }
}

extension ClevisToken {
    /// The same token with `owner`'s signature over it as it stands in `header`.
    package func signed(by owner: SigningKey, in header: Header) throws(LUKSError) -> ClevisToken {
        let message = try BindingStatement(self, in: header).message
        do throws(PinError) {
            let signature = try owner.sign(message)
            return sealed(with: seal?.signed(signature))
        } catch {
            throw LUKSError(error)
        }
    }

    /// Throws unless the token carries `owner`'s signature over it as it stands in `header`.
    package func verify(owner: PublicKey, in header: Header) throws(LUKSError) {
        let message = try BindingStatement(self, in: header).message
        guard owner.verifies(seal?.signature ?? [], over: message) else {
            throw LUKSError(
                .refused, step: "signature", detail: "is not that of the owner \(owner.thumbprint) over this binding")
        }
    }
}
