// SPDX-License-Identifier: Apache-2.0
package import BrokerProtocol
internal import PinKit

/// Decides about requests and opens envelopes: all of the broker that is neither HTTP nor storage.
///
/// Three questions, in this order and in three places: is the nonce ours and fresh (``NonceDesk``), is the evidence genuine
/// and made for this request (``EvidenceCheck``), and is it what this envelope wants (``EnvelopeJudge``).
/// Blocks for milliseconds: not for an event loop. Safe to call from many threads.
public final class Unsealer: Sendable {
    /// Decisions about one request, where owners or revocations change before they are written.
    private static let attempts = 5

    private let desk: NonceDesk
    private let check: EvidenceCheck
    private let keys: KeyRing
    private let floors: MinimumTCB
    private let store: Store
    private let standing: StandingDesk
    private let audit: AuditChain
    private let budget: AuditBudget
    /// The same broker for clients of the KBS protocol.
    package let resources: ResourceDesk
    /// The same broker for administrators.
    package let admin: AdminDesk

    package init(keys: KeyRing, evidence check: EvidenceCheck, floors: MinimumTCB, store: Store, audit: AuditChain) {
        self.desk = NonceDesk(keys)
        self.check = check
        self.keys = keys
        self.floors = floors
        self.store = store
        self.standing = StandingDesk(store)
        self.audit = audit
        self.budget = AuditBudget()
        self.resources = ResourceDesk(
            keys: keys, nonces: desk, evidence: check, floors: floors, store: store, audit: audit,
            budget: budget)
        self.admin = AdminDesk(keys: keys, store: store, audit: audit, budget: budget)
    }

    /// `POST /kbs/v0/auth`.
    package func challenge(at now: Int64) throws(Rejection) -> Challenge {
        do throws(PinError) {
            return Challenge(nonce: try desk.issue(at: now))
        } catch {
            throw Rejection(.unavailable, "cannot make a nonce")
        }
    }

    /// Before ``unseal(_:from:at:)``: looks for what it takes to judge the evidence and is not in it. May wait for a vendor, for
    /// seconds, and so is not counted among the requests that are being decided.
    package func prepare(_ request: UnsealRequest, at now: Int64) async throws(Rejection) {
        guard check.looksForMore else { return }
        // So that asking a vendor costs a nonce at least.
        guard desk.isFresh(Base64.decode(request.nonce) ?? [], at: now) else { return }
        try await check.prepare(request.evidence)
    }

    /// Lets go of the threads that ask vendors; evidence that lacks something is refused from then on.
    package func close() async { await check.close() }

    /// Asks vendors for what is due. May take seconds.
    package func renew() async { await check.collateral?.renew() }

    /// The key to serve with, where it is the broker's own.
    func tlsKey(at now: Int64) -> TLSKey? { keys.keys(at: now).tls.first }

    /// Reads the keys that replicas share anew. Throws where it cannot, and goes on with those that it has. Blocks.
    func renewKeys(at now: Int64) throws(BrokerError) { try keys.renew(at: now) }

    /// Throws where the store cannot be read.
    package func checkStore() throws(BrokerError) { try store.check() }

    /// VCEKs in memory.
    package var certificatesHeld: Int { check.endorsements?.held ?? 0 }

    /// VCEKs that are being searched for.
    package var certificatesSought: Int { check.endorsements?.sought ?? 0 }

    /// `POST /kbs/v0/unseal`. Whatever it decides about an envelope is in the audit log when it returns; when the log cannot be
    /// written, nothing is answered.
    package func unseal(_ request: UnsealRequest, from remote: String, at now: Int64) throws(Rejection) -> Unsealed {
        try redeem(request.nonce, at: now)
        let envelopes = request.envelopes.map(EnvelopeText.init)
        let key = envelopeKey(of: envelopes, at: now)
        let evidence: VerifiedEvidence
        do throws(EvidenceCheck.Refusal) {
            evidence = try check.verify(request, broker: key.publicKey.thumbprint, at: now)
        } catch {
            let verdict = Verdict.refused(error.reason, error.failures)
            let entry = AuditEntry(at: now, verdict: verdict, remote: remote, simulated: error.isSimulated)
            let head = budget.take(at: now) ? try record(AuditBatch(entries: [entry], stamp: nil), at: now) : nil
            throw Rejection(.evidenceRefused, verdict.explained, decisions: [entry], head: head)
        }
        let judge = EnvelopeJudge(key: key, floors: floors)
        return try decide(envelopes, judge, on: evidence, answering: request.guestKey, from: remote, at: now)
    }

    /// The key that the request's envelopes are for, as far as it is one of ours: all of them are for the same, and the evidence
    /// names it.
    private func envelopeKey(of envelopes: [EnvelopeText], at now: Int64) -> AgreementKey {
        let wanted = Set(envelopes.compactMap { $0.header?.brokerKeyID })
        let found = keys.search(at: now) { keys in keys.envelopes.first { wanted.contains($0.publicKey.thumbprint) } }
        return found ?? keys.keys(at: now).envelopes.current
    }

    private func redeem(_ nonce: String, at now: Int64) throws(Rejection) {
        do throws(NonceDesk.Rejection) {
            try desk.redeem(Base64.decode(nonce) ?? [], at: now)
        } catch {
            throw Rejection(.nonceRefused, error.reason)
        }
    }

    private func decide(
        _ envelopes: [EnvelopeText], _ judge: EnvelopeJudge, on evidence: VerifiedEvidence, answering guest: PublicKey,
        from remote: String, at now: Int64
    ) throws(Rejection) -> Unsealed {
        for _ in 0..<Self.attempts {
            let (standings, stamp) = try lookUp(envelopes.map(\.header), chip: evidence.chip)
            var results: [UnsealResponse.Result] = []
            var entries: [AuditEntry] = []
            for (envelope, standing) in zip(envelopes, standings) {
                let judgement = judge.judge(envelope, standing, on: evidence, answering: guest, at: now)
                results.append(judgement.result)
                entries.append(
                    AuditEntry(
                        at: now, verdict: judgement.verdict, owner: envelope.header?.owner, binding: envelope.header?.id,
                        chip: evidence.chip, remote: remote, simulated: evidence.isSimulated))
            }
            if let head = try record(AuditBatch(entries: entries, stamp: stamp), at: now) {
                return Unsealed(response: UnsealResponse(results: results), decisions: entries, head: head)
            }
            standing.forget(stamp)
        }
        throw Rejection(.unavailable, "the broker's store changes too fast")
    }

    private func lookUp(
        _ headers: [EnvelopeHeader?], chip: String
    ) throws(Rejection) -> (standings: [Standing?], stamp: Int64) {
        do throws(BrokerError) {
            return try standing.standings(of: headers, chip: chip)
        } catch {
            throw Rejection(.unavailable, "the broker cannot read its store", cause: error)
        }
    }

    private func record(_ batch: AuditBatch, at now: Int64) throws(Rejection) -> AuditHead? {
        do throws(BrokerError) {
            return try audit.record(batch, at: now)
        } catch {
            throw Rejection(.unavailable, "the broker cannot write its audit log", cause: error)
        }
    }
}

/// An answer, with the decisions in it.
package struct Unsealed: Sendable {
    package let response: UnsealResponse
    package let decisions: [AuditEntry]
    /// Covers them.
    package let head: AuditHead
}

/// A request that gets no results: the status and words of its answer, the decision if there was one, and what only
/// the operator sees.
package struct Rejection: Error, Sendable {
    package let variant: KBSError.Variant
    package let detail: String
    package let decisions: [AuditEntry]
    /// Covers them; nil where they are not in the audit log.
    package let head: AuditHead?
    package let cause: BrokerError?

    init(
        _ variant: KBSError.Variant, _ detail: String, decisions: [AuditEntry] = [], head: AuditHead? = nil,
        cause: BrokerError? = nil
    ) {
        self.variant = variant
        self.detail = printable(detail)
        self.decisions = decisions
        self.head = head
        self.cause = cause
    }
}
