// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import BrokerProtocol
internal import PinKit

/// What calls change. All that can be wrong with a call itself is found before the transaction begins.
extension AdminDesk {
    /// nil where `call` changes nothing.
    func change(_ call: AdminCall, by bearer: Bearer, at now: Int64) throws(Rejection) -> Change? {
        if call.action == .ownerEnrol { return try enrol(call, at: now) }
        guard let owner = bearer.owner else { return nil }
        return switch call.action {
        case .kbsPolicyPut: try setPolicy(Self.kbsPolicy(in: call.body.array), of: owner)
        case .policyPut: try setPolicy(Self.policy(in: call.body.array), of: owner)
        case .refvaluesPut: try take(call, of: owner, at: now)
        case .resourceDelete: try remove(call, of: owner)
        case .resourcePut: try put(call, of: owner, at: now)
        case .revoke: try revoke(call, of: owner, at: now)
        default: nil
        }
    }

    // MARK: - Resources and their policy

    private func put(_ call: AdminCall, of owner: Owner, at now: Int64) throws(Rejection) -> Change {
        let path = try Self.malformed { () throws(BrokerError) in try ResourcePath(call.target) }
        let policy = try call.policy.map { text throws(Rejection) in
            guard let bytes = Base64URL.decode(text) else {
                throw Rejection(.malformedRequest, "header Cvm-Clevis-Policy is not base64url")
            }
            return try Self.policy(in: bytes)
        }
        let content = call.body
        guard Store.resourceCount.contains(content.bytes.count) else {
            throw Rejection(.malformedRequest, "a resource has 1 to \(Store.resourceCount.upperBound) bytes")
        }
        let sealer = try sealer(at: now)
        return { transaction in
            // One that is replaced meanwhile would seal it for nobody.
            guard try KeyTable.seals(sealer.keyID, transaction) else {
                throw Rejection(.unavailable, "the key of resources has just been replaced")
            }
            guard try Store.owner(ofRepository: path.repository, transaction) == owner.thumbprint,
                try Store.resource(path, transaction).map({ $0.resource.owner == owner.thumbprint }) ?? true
            else {
                throw Rejection(.notFound, "this owner has no repository \(path.repository)")
            }
            guard let policy = try policy ?? Store.defaultPolicy(of: owner.thumbprint, transaction) else {
                throw Rejection(
                    .malformedRequest, "no policy: send one as header Cvm-Clevis-Policy, or set a default policy before")
            }
            let sealed = try sealer.seal(content.bytes, at: path, owner: owner.thumbprint, policy: policy)
            let resource = StoredResource(
                path: path, owner: owner.thumbprint, policy: policy, size: content.bytes.count, setAt: now,
                keyID: sealer.keyID)
            try Store.put(resource, sealed: sealed, transaction)
            return resource.json
        }
    }

    /// That with which the store is sealed by now, as far as this replica has it.
    private func sealer(at now: Int64) throws(Rejection) -> ResourceSealer {
        let wanted = try using { () throws(BrokerError) in try store.read("read the keys") { try KeyTable.sealerID($0) } }
        let found = keys.search(at: now) { keys in
            wanted == nil || keys.resources.id == wanted ? ResourceSealer(keys.resources) : nil
        }
        return found ?? ResourceSealer(keys.keys(at: now).resources)
    }

    private func remove(_ call: AdminCall, of owner: Owner) throws(Rejection) -> Change {
        let path = try? ResourcePath(call.target)
        return { transaction in
            guard let path, let found = try Store.resource(path, of: owner.thumbprint, transaction) else {
                throw Rejection.noResource
            }
            try Store.removeResource(path, of: owner.thumbprint, transaction)
            return found.json
        }
    }

    private func setPolicy(_ policy: JSON, of owner: Owner) -> Change {
        { transaction in
            try Store.setDefaultPolicy(policy, of: owner.thumbprint, transaction)
            return policy
        }
    }

    /// `{"snp":{…},"tdx":{…}}`, one at least.
    private static func policy(in text: [UInt8]) throws(Rejection) -> JSON {
        let policy = try malformed { () throws(JSONError) in try JSON(parsing: text, limit: AdminRoute.policyLimit) }
        try malformed { () throws(BrokerError) in try Store.check(policy) }
        return policy
    }

    /// The same in base64url, as member `policy`.
    private static func kbsPolicy(in body: [UInt8]) throws(Rejection) -> JSON {
        let text = try malformed { () throws(JSONError) in
            var reader = try JSONReader(JSON(parsing: body, limit: AdminRoute.policyLimit))
            return try reader.base64URL("policy")
        }
        guard (try? JSON(parsing: text, limit: AdminRoute.policyLimit))?.object != nil else {
            throw Rejection(
                .notSupported, #"policies are JSON here, {"snp":{…},"tdx":{…}} (docs/spec/broker.md §7.3): Rego is not run"#)
        }
        return try policy(in: text)
    }

    // MARK: - Revocations, reference values, owners

    private func revoke(_ call: AdminCall, of owner: Owner, at now: Int64) throws(Rejection) -> Change {
        let revocation = try Self.malformed { () throws(JSONError) in
            var reader = try JSONReader(JSON(parsing: call.body.array, limit: AdminRoute.messageLimit))
            let (binding, chip) = (try reader.optionalString("binding"), try reader.optionalString("chip"))
            let note = try reader.optionalString("note") ?? ""
            try reader.finish()
            guard note.unicodeScalars.count <= 256 else { throw reader.error(at: "note", "has more than 256 characters") }
            let subject: Revocation.Subject
            switch (binding, chip) {
            case (let binding?, nil): subject = .binding(binding, owner: owner.thumbprint)
            case (nil, let chip?): subject = .chip(chip, owner: owner.thumbprint)
            default: throw reader.error(at: "binding", "or chip must be there, one of the two")
            }
            return Revocation(subject: subject, revokedAt: now, note: printable(note))
        }
        try Self.malformed { () throws(BrokerError) in try Store.requireForm(of: revocation.subject) }
        return { transaction in
            if let known = try Store.revoke(revocation, transaction) { throw Rejection(.conflict, known) }
            return revocation.json
        }
    }

    private func take(_ call: AdminCall, of owner: Owner, at now: Int64) throws(Rejection) -> Change {
        let signed = try Self.malformed { () throws(BrokerError) in
            try Store.signedSet(in: String(decoding: call.body.array, as: UTF8.self))
        }
        // The same for a signer who is enrolled and one who is not.
        guard signed.owner == owner.thumbprint else {
            throw Rejection(.forbidden, "the set is not signed by the owner of this token")
        }
        return { transaction in
            switch try Store.take(signed, of: owner, at: now, transaction) {
            case .success(let taken): return taken.json
            case .failure(let error): throw Rejection(.conflict, error.message)
            }
        }
    }

    private func enrol(_ call: AdminCall, at now: Int64) throws(Rejection) -> Change {
        let (name, key) = try Self.malformed { () throws(JSONError) in
            var reader = try JSONReader(JSON(parsing: call.body.array, limit: AdminRoute.messageLimit))
            let name = try reader.string("name")
            let key = try PublicKey(jwk: try reader.required("key"), at: "key")
            try reader.finish()
            return (name, key)
        }
        try Self.malformed { () throws(BrokerError) in try Store.requireName(name) }
        let owner = Owner(name: name, key: key, enrolledAt: now, notBefore: 0)
        return { transaction in
            if let taken = try Store.enrol(owner, transaction) { throw Rejection(.conflict, taken) }
            return owner.json
        }
    }

    /// What goes wrong in `body` is the caller's fault.
    static func malformed<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Rejection) -> Value {
        do throws(Failure) {
            return try body()
        } catch {
            throw Rejection(.malformedRequest, "\(error)")
        }
    }
}

extension Rejection {
    /// Of a resource that is not there, or is another's.
    static var noResource: Rejection { Rejection(.notFound, "this owner has no such resource") }
}
