// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import BrokerProtocol
internal import PinKit

/// One text of a request, read as far as it goes.
enum EnvelopeText {
    case envelope(Envelope)
    case unreadable(PinError)

    init(_ text: String) {
        do throws(PinError) {
            self = .envelope(try Envelope(compact: text))
        } catch {
            self = .unreadable(error)
        }
    }

    var header: EnvelopeHeader? { if case .envelope(let envelope) = self { envelope.header } else { nil } }
}

/// Is the evidence what this envelope wants, and may it be opened at all?
struct EnvelopeJudge: Sendable {
    /// A verdict, and the result that the guest gets with it.
    struct Judgement {
        let verdict: Verdict
        let result: UnsealResponse.Result
    }

    /// The one that the evidence names.
    private let key: AgreementKey
    private let floors: MinimumTCB

    init(key: AgreementKey, floors: MinimumTCB) {
        self.key = key
        self.floors = floors
    }

    /// `standing` is nil where the text could not be read. The order is docs/spec/broker.md §4: who the owner is comes before
    /// what the owner wants, so that a stranger's policy is never evaluated.
    func judge(
        _ text: EnvelopeText, _ standing: Standing?, on evidence: VerifiedEvidence, answering guest: PublicKey, at now: Int64
    ) -> Judgement {
        do throws(Denial) {
            let (envelope, standing) = try read(text, standing)
            try requirePlatform(envelope.header, evidence)
            let share = try open(envelope, standing)
            try requireValid(envelope.header, standing, chip: evidence.chip)
            try requireFloors(evidence)
            let references = try references(of: standing)
            try requirePolicy(envelope.header, references, evidence, at: now)
            let verdict = Verdict(decision: .granted, reason: references?.warning(at: now) ?? "")
            return Judgement(verdict: verdict, result: .answer(try answer(share, to: guest, envelope)))
        } catch {
            let denial = UnsealResponse.Denial(
                PinError.Code(rawValue: error.verdict.decision.rawValue), reason: error.verdict.explained)
            return Judgement(verdict: error.verdict, result: .denied(denial))
        }
    }

    private struct Denial: Error {
        let verdict: Verdict
    }

    private func read(_ text: EnvelopeText, _ standing: Standing?) throws(Denial) -> (Envelope, Standing) {
        switch (text, standing) {
        case (.unreadable(let error), _): throw Denial(verdict: .malformed(error.description))
        case (.envelope, nil): throw Denial(verdict: .unavailable("the broker's store said nothing about it"))
        case (.envelope(let envelope), let standing?): return (envelope, standing)
        }
    }

    private func requirePlatform(_ header: EnvelopeHeader, _ evidence: VerifiedEvidence) throws(Denial) {
        guard header.platform == evidence.platform else {
            throw Denial(
                verdict: .refused(
                    "the envelope is for \(header.platform.title), the evidence is of \(evidence.platform.title)"))
        }
    }

    private func open(_ envelope: Envelope, _ standing: Standing) throws(Denial) -> SecretBytes {
        let header = envelope.header
        let keyID = key.publicKey.thumbprint
        guard header.brokerKeyID == keyID else {
            throw Denial(
                verdict: .refused("the envelope is for broker key \(header.brokerKeyID), the evidence for \(keyID)"))
        }
        // Before the private key is used: a stranger's envelope costs a look-up.
        guard let owner = standing.owner else {
            throw Denial(verdict: .refused("owner \(header.owner) is not enrolled: run cvm-clevis-broker owner add"))
        }
        do throws(PinError) {
            return try envelope.open(with: key).share(signedBy: owner.key)
        } catch {
            throw Denial(verdict: Verdict(error))
        }
    }

    private func requireValid(_ header: EnvelopeHeader, _ standing: Standing, chip: String) throws(Denial) {
        guard !standing.isBindingRevoked else { throw Denial(verdict: .refused("binding \(header.id) is revoked")) }
        guard !standing.isChipRevoked else { throw Denial(verdict: .refused("chip \(chip) is revoked")) }
        let notBefore = standing.owner?.notBefore ?? 0
        guard header.issuedAt >= notBefore else {
            let failure = FailedPredicate(
                predicate: "iat", expected: "at least \(notBefore)", actual: "\(header.issuedAt)")
            throw Denial(verdict: .refused("binding \(header.id) is older than its owner still allows", [failure]))
        }
    }

    private func requireFloors(_ evidence: VerifiedEvidence) throws(Denial) {
        let failures = floors.failures(of: evidence)
        guard failures.isEmpty else {
            throw Denial(verdict: .refused("the platform is below this broker's minimum", failures))
        }
    }

    /// The reference values that the policy names. That their signature holds was seen when they came; the file they were kept in
    /// is not believed for that.
    private func references(of standing: Standing) throws(Denial) -> ReferenceSet? {
        guard let signed = standing.references, let owner = standing.owner else { return nil }
        do throws(PinError) {
            return try signed.verified(by: owner.key)
        } catch {
            throw Denial(verdict: .unavailable("the stored reference values are damaged: \(error)"))
        }
    }

    private func requirePolicy(
        _ header: EnvelopeHeader, _ references: ReferenceSet?, _ evidence: VerifiedEvidence, at now: Int64
    ) throws(Denial) {
        let failures: [FailedPredicate]
        do throws(JSONError) {
            failures = try evidence.failures(of: header.policy, with: references, at: now)
        } catch {
            throw Denial(verdict: .malformed(error.description))
        }
        guard failures.isEmpty else {
            throw Denial(verdict: .refused("the evidence is not what the policy wants", failures))
        }
    }

    private func answer(
        _ share: borrowing SecretBytes, to guest: PublicKey, _ envelope: Envelope
    ) throws(Denial) -> JWE {
        do throws(PinError) {
            return try Answer.seal(share, to: guest, answering: envelope)
        } catch {
            throw Denial(verdict: .malformed("tee-pubkey: \(error)"))
        }
    }
}

extension Verdict {
    fileprivate init(_ error: PinError) {
        let code = Decision(rawValue: error.code.rawValue)
        self.init(decision: [.refused, .malformed].contains(code) ? code : .unavailable, reason: error.description)
    }
}
