// SPDX-License-Identifier: Apache-2.0
internal import Attestation
package import BrokerProtocol
internal import PinKit

/// The KBS protocol's side of the broker, without HTTP: begins sessions, takes evidence, gives out resources.
///
/// Keeps nothing between the steps of a session; only the nonces that were used are remembered, as for `unseal`. Blocks for
/// milliseconds: not for an event loop. Safe to call from many threads.
package final class ResourceDesk: Sendable {
    private let keys: KeyRing
    private let nonces: NonceDesk
    private let check: EvidenceCheck
    private let floors: MinimumTCB
    private let store: Store
    private let audit: AuditChain
    private let budget: AuditBudget

    init(
        keys: KeyRing, nonces: NonceDesk, evidence check: EvidenceCheck, floors: MinimumTCB, store: Store,
        audit: AuditChain, budget: AuditBudget
    ) {
        self.keys = keys
        self.nonces = nonces
        self.check = check
        self.floors = floors
        self.store = store
        self.audit = audit
        self.budget = budget
    }

    /// What a guest brings to show that it attested.
    package enum Credential: Sendable {
        /// The value of cookie `kbs-session-id`.
        case cookie(String)
        /// A token, from `Authorization: Bearer`.
        case token(String)
    }

    /// The value of the cookie that goes with `challenge`.
    package func begin(_ request: AuthRequest, _ challenge: Challenge, at now: Int64) throws(Rejection) -> String {
        let session = Session.Begun(version: request.version, tee: request.tee, nonce: challenge.nonce)
        return try sealing { () throws(PinError) in try session.sealed(keys.keys(at: now).sessions.current) }
    }

    /// A guest's message to `attest`, read and judged by nobody yet.
    package struct Attestation: Sendable {
        fileprivate let begun: Session.Begun
        fileprivate let request: AttestRequest
    }

    /// `POST /kbs/v0/attest`, what came with it: `cookie` is that of `auth`.
    package func read(_ body: [UInt8], cookie: String?, at now: Int64) throws(Rejection) -> Attestation {
        let begun = cookie.flatMap { cookie in
            keys.search(at: now) { keys in keys.sessions.firstResult { Session.Begun(cookie, $0) } }
        }
        guard let begun else {
            throw Rejection(.unauthenticated, "no session: begin with auth, and send its cookie")
        }
        do throws(JSONError) {
            return Attestation(begun: begun, request: try AttestRequest(body: body, version: begun.version, tee: begun.tee))
        } catch {
            throw Rejection(.malformedRequest, error.description)
        }
    }

    /// Before ``attest(_:from:at:)``: see ``Unsealer/prepare(_:at:)``.
    package func prepare(_ attestation: Attestation, at now: Int64) async throws(Rejection) {
        guard check.looksForMore else { return }
        guard nonces.isFresh(Base64.decode(attestation.begun.nonce) ?? [], at: now) else { return }
        try await check.prepare(attestation.request.evidence)
    }

    /// A token, and the cookie to go on with.
    package func attest(
        _ attestation: Attestation, from remote: String, at now: Int64
    ) throws(Rejection) -> (token: String, cookie: String) {
        let (begun, request) = (attestation.begun, attestation.request)
        try redeem(begun, request, at: now)
        let evidence = try verify(request, begun, from: remote, at: now)
        let session = Session.Attested(
            version: begun.version, key: request.key, evidence: evidence, expiresAt: now + Session.Attested.lifetime)
        return try sealing { () throws(PinError) in
            let keys = keys.keys(at: now)
            let token = AttestationToken(session: session, nonce: begun.nonce)
            let sealer = keys.sessions.current
            return (try token.signed(keys.tokens.current, sealer, at: now), try session.sealed(sealer))
        }
    }

    /// The same for evidence that is complete.
    package func attest(
        _ body: [UInt8], cookie: String?, from remote: String, at now: Int64
    ) throws(Rejection) -> (token: String, cookie: String) {
        try attest(read(body, cookie: cookie, at: now), from: remote, at: now)
    }

    /// `GET /kbs/v0/resource/…`: the answer's body. The decision is in the audit log when it returns.
    package func release(
        _ path: String, to credential: Credential?, from remote: String, at now: Int64
    ) throws(Rejection) -> Released {
        guard let session = attested(credential, at: now) else {
            throw Rejection(.unauthenticated, "no session with evidence, or one that is over: auth and attest first")
        }
        guard let path = try? ResourcePath(path), let standing = try lookUp(path, session) else {
            throw Rejection(.notFound, "no such resource")
        }
        func entry(_ verdict: Verdict) -> AuditEntry {
            AuditEntry(
                at: now, verdict: verdict, owner: standing.resource.owner, resource: path.text, chip: session.evidence.chip,
                remote: remote, simulated: session.evidence.isSimulated)
        }
        do throws(ResourceDenial) {
            let (verdict, body) = try judge(standing, session, at: now)
            let entry = entry(verdict)
            let head = try record(entry, at: now)
            return Released(body: body, decisions: [entry], head: head)
        } catch {
            guard case .verdict(let verdict) = error else { throw error.rejection }
            let entry = entry(verdict)
            let head = try recordWithinBudget(entry, at: now)
            throw Rejection(
                verdict.decision == .refused ? .policyDeny : .unavailable, verdict.explained, decisions: [entry],
                head: head)
        }
    }

    // MARK: - Attesting

    private func redeem(_ begun: Session.Begun, _ request: AttestRequest, at now: Int64) throws(Rejection) {
        guard request.nonce == nil || request.nonce == begun.nonce else {
            throw Rejection(.nonceRefused, "runtime-data names another nonce than this session's")
        }
        do throws(NonceDesk.Rejection) {
            try nonces.redeem(Base64.decode(begun.nonce) ?? [], at: now)
        } catch {
            throw Rejection(.nonceRefused, error.reason)
        }
    }

    private func verify(
        _ request: AttestRequest, _ begun: Session.Begun, from remote: String, at now: Int64
    ) throws(Rejection) -> VerifiedEvidence {
        do throws(EvidenceCheck.Refusal) {
            let evidence = try check.verify(request.evidence, for: request.reportData(nonce: begun.nonce), at: now)
            if let initData = request.initData, !initData.matches(evidence.initData) {
                let failure = FailedPredicate(
                    predicate: "init-data", expected: Hex.encode(initData.digest), actual: Hex.encode(evidence.initData))
                throw EvidenceCheck.Refusal(
                    reason: "the guest was not launched with this init-data", failures: [failure],
                    isSimulated: evidence.isSimulated)
            }
            return evidence
        } catch {
            let verdict = Verdict.refused(error.reason, error.failures)
            let entry = AuditEntry(at: now, verdict: verdict, remote: remote, simulated: error.isSimulated)
            let head = try recordWithinBudget(entry, at: now)
            throw Rejection(.evidenceRefused, verdict.explained, decisions: [entry], head: head)
        }
    }

    // MARK: - Releasing

    private func attested(_ credential: Credential?, at now: Int64) -> Session.Attested? {
        guard let credential else { return nil }
        return keys.search(at: now) { keys in
            guard let text = Self.sealedSession(credential, keys) else { return nil }
            return keys.sessions.firstResult { Session.Attested(text, $0, at: now) }
        }
    }

    /// nil for a token that none of `keys` signed.
    private static func sealedSession(_ credential: Credential, _ keys: BrokerKeys) -> String? {
        switch credential {
        case .cookie(let text): text
        case .token(let token): keys.tokens.firstResult { AttestationToken.session(in: token, $0.publicKey) }
        }
    }

    private func lookUp(_ path: ResourcePath, _ session: Session.Attested) throws(Rejection) -> ResourceStanding? {
        do throws(BrokerError) {
            return try store.standing(of: path, on: session.evidence.platform, chip: session.evidence.chip)
        } catch {
            throw Rejection(.unavailable, "the broker cannot read its store", cause: error)
        }
    }

    /// The order is that of docs/spec/broker.md §7.5.
    private func judge(
        _ standing: ResourceStanding, _ session: Session.Attested, at now: Int64
    ) throws(ResourceDenial) -> (Verdict, [UInt8]) {
        let (resource, evidence) = (standing.resource, session.evidence)
        guard let owner = standing.owner else { throw .refused("owner \(resource.owner) is not enrolled") }
        guard !standing.isChipRevoked else { throw .refused("chip \(evidence.chip) is revoked") }
        let below = floors.failures(of: evidence)
        guard below.isEmpty else { throw .refused("the platform is below this broker's minimum", below) }
        guard let policy = resource.policy[evidence.platform.rawValue] else {
            throw .refused("\(resource.path) is not for \(evidence.platform.title)")
        }
        let references = try references(of: standing, owner)
        let failures: [FailedPredicate]
        do throws(JSONError) {
            failures = try evidence.failures(of: policy, with: references, at: now)
        } catch {
            throw .unavailable("the stored policy is damaged: \(error)")
        }
        guard failures.isEmpty else { throw .refused("the evidence is not what the policy wants", failures) }
        return (
            Verdict(decision: .granted, reason: references?.warning(at: now) ?? ""), try seal(standing, to: session, at: now)
        )
    }

    private func references(of standing: ResourceStanding, _ owner: Owner) throws(ResourceDenial) -> ReferenceSet? {
        guard let signed = standing.references else { return nil }
        do throws(PinError) {
            return try signed.verified(by: owner.key)
        } catch {
            throw .unavailable("the stored reference values are damaged: \(error)")
        }
    }

    private func seal(
        _ standing: ResourceStanding, to session: Session.Attested, at now: Int64
    ) throws(ResourceDenial) -> [UInt8] {
        let wanted = standing.resource.keyID
        guard let sealer = keys.search(at: now, { $0.resources.id == wanted ? ResourceSealer($0.resources) : nil }) else {
            throw .unavailable(
                "the resource is sealed with key \(wanted), this broker's is \(keys.keys(at: now).resources.id)")
        }
        guard let content = sealer.open(standing.sealed, of: standing.resource) else {
            throw .unavailable("the stored resource is damaged")
        }
        do throws(PinError) {
            return Array(try ResponseJWE.seal(content, to: session.key, of: session.version).compact.utf8)
        } catch {
            throw .rejection(Rejection(.malformedRequest, "tee-pubkey: \(error)"))
        }
    }

    private func recordWithinBudget(_ entry: AuditEntry, at now: Int64) throws(Rejection) -> AuditHead? {
        guard budget.take(at: now) else { return nil }
        do throws(ResourceDenial) {
            return try record(entry, at: now)
        } catch {
            throw error.rejection
        }
    }

    private func record(_ entry: AuditEntry, at now: Int64) throws(ResourceDenial) -> AuditHead {
        do throws(BrokerError) {
            return try audit.record([entry], at: now)
        } catch {
            throw .rejection(Rejection(.unavailable, "the broker cannot write its audit log", cause: error))
        }
    }

    private func sealing<Value>(_ body: () throws(PinError) -> Value) throws(Rejection) -> Value {
        do throws(PinError) {
            return try body()
        } catch {
            throw Rejection(.internalError, "the broker failed", cause: BrokerError("\(error)"))
        }
    }
}

/// A resource for a guest, with the decision.
package struct Released: Sendable {
    package let body: [UInt8]
    package let decisions: [AuditEntry]
    /// Covers them.
    package let head: AuditHead
}

/// Why a guest does not get a resource: a decision, or no decision at all.
enum ResourceDenial: Error {
    case verdict(Verdict)
    case rejection(Rejection)

    static func refused(_ reason: String, _ failures: [FailedPredicate] = []) -> ResourceDenial {
        .verdict(.refused(reason, failures))
    }

    static func unavailable(_ reason: String) -> ResourceDenial { .verdict(.unavailable(reason)) }

    var rejection: Rejection {
        switch self {
        case .verdict(let verdict): Rejection(.unavailable, verdict.explained)
        case .rejection(let rejection): rejection
        }
    }
}
