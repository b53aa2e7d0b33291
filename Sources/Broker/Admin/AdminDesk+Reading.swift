// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import PinKit

/// What calls look at: an owner's own.
extension AdminDesk {
    func read(_ call: AdminCall, by bearer: Bearer, _ description: () throws(BrokerError) -> JSON) throws(Rejection) -> JSON
    {
        switch call.action {
        case .publicGet: return try using(description)
        case .ownerList:
            return list("owners", try using { () throws(BrokerError) in try store.owners().map(\.json) })
        case .kbsUnsupported:
            throw Rejection(
                .notSupported,
                "not of this broker: policies are the owner's JSON with each resource, and reference values are sets "
                    + "that the owner signs (docs/spec/broker.md §9.4)")
        default: break
        }
        guard let owner = bearer.owner?.thumbprint else { throw Rejection(.forbidden, "this call takes an owner's token") }
        switch call.action {
        case .resourceList:
            return list("resources", try using { () throws(BrokerError) in try store.resources(owner: owner).map(\.json) })
        case .resourceGet: return try resource(call.target, of: owner)
        case .policyGet: return try defaultPolicy(of: owner)
        case .kbsPolicyGet:
            return ["policy": .string(Base64URL.encode(Array(try defaultPolicy(of: owner).canonical.utf8)))]
        case .revocationList:
            return list(
                "revocations", try using { () throws(BrokerError) in try store.revocations(owner: owner).map(\.json) })
        case .refvaluesList:
            return list(
                "reference_sets", try using { () throws(BrokerError) in try store.references(owner: owner).map(\.json) })
        case .auditList: return try audit(call.query, of: owner)
        default: throw Rejection(.internalError, "the broker failed")
        }
    }

    private func list(_ name: String, _ elements: [JSON]) -> JSON { .object([name: .array(elements)]) }

    private func resource(_ target: String, of owner: String) throws(Rejection) -> JSON {
        // Looked up all the same where no path has that form.
        let path = try? ResourcePath(target)
        let found = try using { () throws(BrokerError) in
            try store.read("find a resource") { transaction in
                try path.flatMap { try Store.resource($0, of: owner, transaction) }
            }
        }
        guard let found else { throw Rejection.noResource }
        return found.json
    }

    private func defaultPolicy(of owner: String) throws(Rejection) -> JSON {
        let policy = try using { () throws(BrokerError) in
            try store.read("find a policy") { try Store.defaultPolicy(of: owner, $0) }
        }
        guard let policy else { throw Rejection(.notFound, "this owner has no default policy") }
        return policy
    }

    /// Entries, and a text that asks for what follows them.
    private func audit(_ query: [String: String], of owner: String) throws(Rejection) -> JSON {
        let question = try Self.malformed { () throws(JSONError) in try AuditQuery(query, owner: owner) }
        let page = try using { () throws(BrokerError) in
            try store.auditPage(question.filter, after: question.after, limit: question.limit)
        }
        return [
            "entries": .array(page.entries.map(\.json)), "next": .string(AuditQuery.text(of: page.places)),
        ]
    }
}

extension Owner {
    /// One object, for an operator who asks over HTTP.
    var json: JSON {
        [
            "enrolled_at": .integer(enrolledAt), "name": .string(name), "not_before": .integer(notBefore),
            "thumbprint": .string(thumbprint),
        ]
    }
}
