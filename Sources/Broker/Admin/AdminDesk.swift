// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
package import PinKit

/// Administration over HTTP, without HTTP: says who calls, does what they may, and writes it down (docs/spec/broker.md §9).
///
/// An owner sees and changes what is the owner's, and to others' things gets the answer that there is no such thing. What a call
/// changes and its entry in the audit log are one transaction. Blocks for milliseconds: not for an event loop.
package final class AdminDesk: Sendable {
    let store: Store
    let keys: KeyRing
    private let audit: AuditChain
    private let budget: AuditBudget

    init(keys: KeyRing, store: Store, audit: AuditChain, budget: AuditBudget) {
        self.store = store
        self.keys = keys
        self.audit = audit
        self.budget = budget
    }

    /// `description`: reads `public.json`. `needsPin`: whether a token must be one that comes with a certificate.
    package func perform(
        _ call: AdminCall, description: () throws(BrokerError) -> JSON, needsPin: Bool = false, at now: Int64
    ) throws(Rejection) -> AdminAnswer {
        let bearer = try authenticate(call, needsPin: needsPin, at: now)
        do throws(Rejection) {
            if let scope = call.action.scope, !bearer.token.scopes.contains(scope) {
                throw Rejection(.forbidden, "this call takes a token with scope \(scope.rawValue)")
            }
            if let change = try change(call, by: bearer, at: now) {
                return try write(call, by: bearer, at: now, change)
            }
            return try answer(try read(call, by: bearer, description), call, by: bearer, at: now)
        } catch {
            guard error.decisions.isEmpty, error.variant != .unavailable else { throw error }
            throw try recorded(error, call, by: bearer, at: now)
        }
    }

    // MARK: - Who calls

    private func authenticate(_ call: AdminCall, needsPin: Bool, at now: Int64) throws(Rejection) -> Bearer {
        let bearer = try using { () throws(BrokerError) in
            try call.token.flatMap { text throws(BrokerError) in
                try store.bearer(text, at: now)
            }
        }
        guard let bearer, hasCertificate(bearer.token, call, needsPin: needsPin) else {
            let rejection = Rejection(
                .unauthenticated, "no token, or one that is not known, is over, or comes without its certificate")
            throw try recorded(rejection, call, by: nil, at: now)
        }
        return bearer
    }

    private func hasCertificate(_ token: AdminToken, _ call: AdminCall, needsPin: Bool) -> Bool {
        guard let pin = token.pin else { return !needsPin }
        return pin == call.clientPin
    }

    // MARK: - Doing it and writing it down

    typealias Change = @Sendable (any Transaction) throws -> JSON

    /// `change` throws a ``Rejection`` before it has changed anything.
    private func write(
        _ call: AdminCall, by bearer: Bearer, at now: Int64, _ change: Change
    ) throws(Rejection) -> AdminAnswer {
        let (result, entry, head) = try using { () throws(BrokerError) in
            try audit.record(at: now) { transaction in
                do {
                    // It may have been revoked since it was looked up.
                    guard try Store.isInForce(bearer.token, transaction) else {
                        throw Rejection(.unauthenticated, "the token was revoked")
                    }
                    let value = try change(transaction)
                    return (Result<JSON, Rejection>.success(value), Self.entry(call, bearer, nil, at: now))
                } catch let rejection as Rejection {
                    return (.failure(rejection), Self.entry(call, bearer, rejection, at: now))
                }
            }
        }
        switch result {
        case .success(let value): return AdminAnswer(body: value, decisions: [entry], head: head)
        case .failure(let rejection): throw Rejection(rejection.variant, rejection.detail, decisions: [entry], head: head)
        }
    }

    /// Who follows the audit log would write to it with every question, and read that next.
    private func answer(
        _ body: JSON, _ call: AdminCall, by bearer: Bearer, at now: Int64
    ) throws(Rejection) -> AdminAnswer {
        let entry = Self.entry(call, bearer, nil, at: now)
        if call.action == .auditList, call.query["after"] != nil {
            return AdminAnswer(body: body, decisions: [entry], head: nil)
        }
        let head = try using { () throws(BrokerError) in try audit.record([entry], at: now) }
        return AdminAnswer(body: body, decisions: [entry], head: head)
    }

    /// The refusal with its entry, which is in the log unless a minute's budget is spent.
    private func recorded(
        _ rejection: Rejection, _ call: AdminCall, by bearer: Bearer?, at now: Int64
    ) throws(Rejection) -> Rejection {
        let entry = Self.entry(call, bearer, rejection, at: now)
        guard budget.take(at: now) else { return Rejection(rejection.variant, rejection.detail, decisions: [entry]) }
        let head = try using { () throws(BrokerError) in try audit.record([entry], at: now) }
        return Rejection(rejection.variant, rejection.detail, decisions: [entry], head: head)
    }

    private static func entry(_ call: AdminCall, _ bearer: Bearer?, _ rejection: Rejection?, at now: Int64) -> AuditEntry {
        let verdict = rejection.map { Verdict.refused($0.detail) } ?? Verdict(decision: .granted, reason: "")
        let isResource = [.resourceDelete, .resourceGet, .resourcePut].contains(call.action)
        return AuditEntry(
            at: now, verdict: verdict, owner: bearer?.owner?.thumbprint,
            resource: isResource ? (try? ResourcePath(call.target))?.text : nil, remote: call.remote, simulated: false,
            actor: bearer?.token.id, action: call.action.rawValue)
    }

    /// What goes wrong in `body` is the broker's fault.
    func using<Value>(_ body: () throws(BrokerError) -> Value) throws(Rejection) -> Value {
        do throws(BrokerError) {
            return try body()
        } catch {
            throw Rejection(.unavailable, "the broker cannot use its store or audit log", cause: error)
        }
    }
}

extension KBSError.Variant {
    /// The token is not for that.
    static let forbidden = KBSError.Variant(name: "Forbidden", status: 403)
    /// It is there already.
    static let conflict = KBSError.Variant(name: "Conflict", status: 409)
    /// A call of the KBS protocol that has no meaning here.
    static let notSupported = KBSError.Variant(name: "NotSupported", status: 501)
}
