// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A LUKS2 token of type `clevis` (docs/spec/luks-token.md): a policy as a JWE, the keyslot that its secret opens, and, where
/// an owner made it, the owner's seal. A token by stock clevis has no seal.
public struct ClevisToken: Sendable, Equatable {
    public static let type = "clevis"

    /// In ascending order; clevis writes exactly one. Empty while a binding is being made.
    public let keyslots: [Int]
    public let jwe: JWE
    public let seal: Seal?
    /// What the binding was made from and its message does not say; covered by the seal, read by who changes the binding.
    public let config: JSONObject?
    /// Members that are nobody's here; kept when the token is written again.
    let others: JSONObject

    /// Reads a token's JSON; nil for another type.
    public init?(_ json: JSON) throws(LUKSError) {
        guard let members = json.object, members["type"]?.string == ClevisToken.type else { return nil }
        do {
            var reader = JSONReader(members)
            var keyslots: [Int] = []
            for text in try reader.strings("keyslots") {
                guard let number = Int(text), (0..<32).contains(number), String(number) == text else {
                    throw reader.error(at: "keyslots", "must hold numbers from 0 to 31")
                }
                keyslots.append(number)
            }
            self.keyslots = keyslots.sorted()
            self.jwe = try JWE(flattened: reader.required("jwe"))
            var own = try reader.optionalReader("cvm-clevis") ?? JSONReader([:] as JSONObject)
            if members["cvm-clevis"] != nil { _ = try own.integer("v", in: 1...1) }
            self.config = try own.optionalObject("config")
            self.seal = try Seal(reading: &own)
            try own.finish()
        } catch let error as JSONError {
            throw LUKSError(.malformed, step: "read the token", detail: error.description)
        } catch let error as PinError {
            throw LUKSError(error)
        } catch {
            throw LUKSError(.malformed, step: "read the token")
        }
        var others = members
        for name in ["type", "keyslots", "jwe", "cvm-clevis"] { others[name] = nil }
        self.others = others
    }

    init(keyslots: [Int], jwe: JWE, seal: Seal?, config: JSONObject? = nil, others: JSONObject = [:]) {
        self.keyslots = keyslots
        self.jwe = jwe
        self.seal = seal
        self.config = config
        self.others = others
    }

    public var json: JSON {
        var members = others
        members["type"] = .string(ClevisToken.type)
        members["keyslots"] = .array(keyslots.map { .string(String($0)) })
        members["jwe"] = jwe.flattened
        var own = seal?.members ?? [:]
        own["config"] = config.map { .object($0) }
        if !own.isEmpty {
            own["v"] = 1
            members["cvm-clevis"] = .object(own)
        }
        return .object(members)
    }

    /// The same binding for `keyslot`.
    func assigned(to keyslot: Int) -> ClevisToken {
        ClevisToken(keyslots: [keyslot], jwe: jwe, seal: seal, config: config, others: others)
    }

    /// The same binding with `seal` in place of its own.
    func sealed(with seal: Seal?) -> ClevisToken {
        ClevisToken(keyslots: keyslots, jwe: jwe, seal: seal, config: config, others: others)
    }
}

extension ClevisToken {
    /// What the owner says about a binding, and the signature over it: most of the member `cvm-clevis`.
    public struct Seal: Sendable, Equatable {
        /// Seconds since 1970.
        public let issuedAt: Int64
        /// 16 bytes in base64url, 22 characters: what a revocation names.
        public let id: String
        /// The volume's name in the guest's boot configuration.
        public let name: String
        /// One machine of a fleet, where the policy names one.
        public let instance: String?
        /// ES256 over the ``BindingStatement``, 64 bytes; all zero until the binding is complete.
        public let signature: [UInt8]

        package static let unsigned = [UInt8](repeating: 0, count: 64)

        package init(issuedAt: Int64, id: String, name: String, instance: String?, signature: [UInt8] = Seal.unsigned) {
            self.issuedAt = issuedAt
            self.id = id
            self.name = name
            self.instance = instance
            self.signature = signature
        }

        /// nil where none of it is there. Part of it is malformed: a signature that was taken away leaves the rest.
        init?(reading reader: inout JSONReader) throws(JSONError) {
            guard Seal.names.contains(where: { reader.optional($0) != nil }) else { return nil }
            self.issuedAt = try reader.integer("iat", in: 0...Int64.max)
            self.id = Base64URL.encode(try reader.base64URL("id", count: 16))
            self.name = try reader.string("name")
            self.instance = try reader.optionalString("instance")
            self.signature = try reader.base64URL("signature", count: 64)
        }

        private static let names = ["iat", "id", "name", "instance", "signature"]

        var members: JSONObject {
            var members: JSONObject = [
                "iat": .integer(issuedAt), "id": .string(id), "name": .string(name),
                "signature": .string(Base64URL.encode(signature)),
            ]
            members["instance"] = instance.map { .string($0) }
            return members
        }

        func signed(_ signature: [UInt8]) -> Seal {
            Seal(issuedAt: issuedAt, id: id, name: name, instance: instance, signature: signature)
        }
    }
}
