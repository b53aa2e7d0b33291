// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import PinKit
import TEESimulator
import Testing

@Suite(.eachStore) struct UnsealerTests {
    let stage: Stage

    init() throws { stage = try Stage() }

    @Test func `a guest that its owner wants gets its share`() throws {
        let envelope = try stage.envelope()
        let results = try stage.unseal(stage.request([envelope.message.compact]))
        #expect(try stage.open(results[0], answering: envelope) == stage.share)
    }

    @Test func `results come in order, and a bad envelope does not spoil its neighbours`() throws {
        let good = try [stage.envelope(), stage.envelope()]
        let stranger = try stage.envelope(by: SigningKey.generate())
        let texts = [good[0].message.compact, "no envelope", stranger.message.compact, good[1].message.compact]
        let results = try stage.unseal(stage.request(texts))
        #expect(try stage.open(results[0], answering: good[0]) == stage.share)
        #expect(try stage.open(results[3], answering: good[1]) == stage.share)
        let codes = results.map { if case .denied(let denial) = $0 { denial.code.rawValue } else { "answer" } }
        #expect(codes == ["answer", "malformed", "refused", "answer"])
    }

    @Test func `sixty-four envelopes are opened, sixty-five are no request`() throws {
        let text = try stage.envelope().message.compact
        let results = try stage.unseal(stage.request(Array(repeating: text, count: 64)))
        #expect(results.allSatisfy { if case .answer = $0 { true } else { false } })
        let error = #expect(throws: JSONError.self) { try stage.request(Array(repeating: text, count: 65)) }
        #expect(error?.place == "envelopes")
    }

    // MARK: - The owner

    @Test func `an owner who is not enrolled is named, with what to do`() throws {
        let stranger = try SigningKey.generate()
        let denial = try stage.denial(of: stage.envelope(by: stranger))
        #expect(denial.code == .refused)
        #expect(
            denial.reason == "owner \(stranger.publicKey.thumbprint) is not enrolled: run cvm-clevis-broker owner add")
    }

    @Test func `a removed owner's envelopes stay closed`() throws {
        let envelope = try stage.envelope()
        try stage.store.remove(owner: "alice")
        #expect(try stage.denial(of: envelope).reason.contains("is not enrolled"))
    }

    @Test func `an envelope in the name of one owner, signed by another enrolled one, is refused`() throws {
        let mallory = try SigningKey.generate()
        try stage.store.enrol("mallory", mallory.publicKey, at: stage.now)
        let header = try stage.envelope().message.header["clevis"].orThrow("a header")
        let draft = try JWE.Draft(to: stage.broker.publicKey, header: ["clevis": header])
        let statement = Array("cvm-clevis envelope v1".utf8) + [0] + Array(draft.protected.utf8) + [0] + stage.share
        let forged = try draft.seal(SecretBytes(copyingPublic: stage.share + mallory.sign(statement)))
        let denial = try stage.denial(of: forged.compact)
        #expect(denial.code == .refused && denial.reason.contains("owner's signature"))
    }

    // MARK: - The envelope

    @Test(arguments: 0..<5)
    func `an envelope with any part changed is not opened`(part: Int) throws {
        var parts = try stage.envelope().message.compact.split(separator: ".").map(String.init)
        var bytes = try Base64URL.decode(parts[part]).orThrow("base64url")
        bytes[bytes.count / 2] ^= 1
        parts[part] = Base64URL.encode(bytes)
        #expect([.refused, .malformed].contains(try stage.denial(of: parts.joined(separator: ".")).code))
    }

    @Test func `a policy that was exchanged under the same content is refused`() throws {
        let message = try stage.envelope().message
        let other = try stage.envelope(policy: Stage.policy(measurement: [UInt8](repeating: 1, count: 48))).message
        var parts = message.compact.split(separator: ".")
        parts[0] = other.protected[...]
        #expect(try stage.denial(of: parts.joined(separator: ".")).code == .refused)
    }

    @Test func `an envelope for another broker says for which`() throws {
        let other = try AgreementKey.generate().publicKey
        let denial = try stage.denial(of: stage.envelope(to: other))
        #expect(denial.code == .refused)
        #expect(
            denial.reason
                == "the envelope is for broker key \(other.thumbprint), the evidence for \(stage.broker.publicKey.thumbprint)"
        )
    }

    // MARK: - Nonces

    @Test func `a nonce of nobody's is refused`() throws {
        let text = try stage.envelope().message.compact
        let request = try stage.request([text], nonce: Base64.encode(Random.bytes(32)))
        try expectRejection(of: request, "NonceRefused", 401, "is not one of this broker's")
    }

    @Test func `a request serves once`() throws {
        let request = try stage.request([stage.envelope().message.compact])
        _ = try stage.unseal(request)
        try expectRejection(of: request, "NonceRefused", 401, "was used before")
    }

    @Test func `a nonce is spent by a request that is refused`() throws {
        let text = try stage.envelope().message.compact
        let nonce = try stage.unsealer.challenge(at: stage.now).nonce
        try expectRejection(of: stage.request([text], nonce: nonce, flipping: [0x90]), "EvidenceRefused", 403, "")
        try expectRejection(of: stage.request([text], nonce: nonce), "NonceRefused", 401, "was used before")
    }

    @Test func `an old nonce is refused`() throws {
        let request = try stage.request([stage.envelope().message.compact])
        try expectRejection(of: request, "NonceRefused", 401, "it is 61 s old", at: stage.now + 61)
    }

    // MARK: - Is it genuine?

    @Test func `a simulator is not believed unless the broker was told to`() throws {
        let earnest = try Stage(trustsSimulator: false)
        let request = try earnest.request([earnest.envelope().message.compact])
        let rejection = #expect(throws: Rejection.self) { try earnest.unseal(request) }
        #expect(rejection?.variant == .evidenceRefused)
        let entry = try earnest.store.auditEntries(last: 1).first.orThrow("an entry")
        #expect(entry.verdict.decision == .refused && entry.chip == nil && entry.remote == earnest.remote)
    }

    @Test(arguments: [0x08, 0x50, 0x90, 0x188, 0x1A0, 0x29F, 0x2A0, 0x2E8])
    func `a report with a changed byte is refused`(offset: Int) throws {
        let request = try stage.request([stage.envelope().message.compact], flipping: [offset])
        try expectRejection(of: request, "EvidenceRefused", 403, "")
    }

    @Test func `evidence made for other envelopes is refused`() throws {
        let texts = try [stage.envelope(), stage.envelope()].map(\.message.compact)
        let request = try stage.request(texts, evidenceFor: texts.reversed())
        try expectRejection(of: request, "EvidenceRefused", 403, "report data")
    }

    @Test func `evidence made for another key is refused`() throws {
        let request = try stage.request([stage.envelope().message.compact])
        let thief = try AgreementKey.generate().publicKey
        let stolen = try replacingKey(of: request, with: thief)
        try expectRejection(of: stolen, "EvidenceRefused", 403, "report data")
    }

    // MARK: - Is it wanted?

    @Test func `a wrong measurement is refused with both`() throws {
        var settings = SNPSettings()
        settings.measurement = [UInt8](repeating: 0xAB, count: 48)
        let denial = try stage.denial(of: stage.envelope(), tee: .snp(settings))
        #expect(denial.code == .refused)
        #expect(denial.reason.contains("measurement"))
        let entry = try stage.store.auditEntries(last: 1).first.orThrow("an entry")
        let failure = try entry.verdict.failures.first.orThrow("a failure")
        #expect(failure.predicate == "measurement")
        #expect(denial.reason.contains(failure.expected) && denial.reason.contains(failure.actual))
        #expect(failure.expected != failure.actual)
    }

    @Test func `all conditions that failed are named`() throws {
        var settings = SNPSettings()
        settings.measurement = [UInt8](repeating: 0xAB, count: 48)
        settings.vmpl = 2
        settings.policy |= 1 << 19
        _ = try stage.denial(of: stage.envelope(), tee: .snp(settings))
        let entry = try stage.store.auditEntries(last: 1).first.orThrow("an entry")
        #expect(entry.verdict.failures.count == 3)
    }

    @Test func `what is no policy is malformed`() throws {
        #expect(try stage.denial(of: stage.envelope(policy: [:])).code == .malformed)
        let unknown = Stage.policy(measurement: SNPSettings.defaultMeasurement, ["colour": "blue"])
        #expect(try stage.denial(of: stage.envelope(policy: unknown)).code == .malformed)
    }

    @Test func `a platform below the broker's own minimum is refused, whatever the policy says`() throws {
        let strict = try Stage(floors: ["genoa=0a00000000001755"])
        let denial = try strict.denial(of: strict.envelope())
        #expect(denial.code == .refused)
        #expect(denial.reason.contains("ucode 85") && denial.reason.contains("ucode 84"))
        let lenient = try Stage(floors: ["genoa=0a00000000001754", "milan=ffffffffffffffff"])
        let envelope = try lenient.envelope()
        let results = try lenient.unseal(lenient.request([envelope.message.compact]))
        #expect(try lenient.open(results[0], answering: envelope) == lenient.share)
    }

    @Test(arguments: ["genoa", "genoa=", "genoa=0a", "athlon=0a00000000001755", "genoa=0a00000000001755=1"])
    func `what is no minimum TCB is refused`(text: String) {
        #expect(throws: BrokerError.self) { _ = try MinimumTCB([text]) }
    }

    // MARK: - Revocation

    @Test func `a revoked binding stays closed, the owner's others open`() throws {
        let envelope = try stage.envelope()
        try stage.store.revoke(
            .binding(envelope.header.id, owner: stage.owner.publicKey.thumbprint), note: "", at: stage.now)
        #expect(try stage.denial(of: envelope).reason == "binding \(envelope.header.id) is revoked")
        let other = try stage.envelope()
        let results = try stage.unseal(stage.request([other.message.compact]))
        #expect(try stage.open(results[0], answering: other) == stage.share)
    }

    @Test func `an owner revokes his own bindings only`() throws {
        let envelope = try stage.envelope()
        let mallory = try SigningKey.generate().publicKey.thumbprint
        try stage.store.revoke(.binding(envelope.header.id, owner: mallory), note: "", at: stage.now)
        let results = try stage.unseal(stage.request([envelope.message.compact]))
        #expect(try stage.open(results[0], answering: envelope) == stage.share)
    }

    @Test func `a revoked chip gets nothing, for everybody or for one owner`() throws {
        let chip = Base64URL.encode(SNPSettings.defaultChip)
        for owner in [nil, stage.owner.publicKey.thumbprint] {
            let stage = try Stage()
            let name = owner == nil ? nil : stage.owner.publicKey.thumbprint
            try stage.store.revoke(.chip(chip, owner: name), note: "", at: stage.now)
            #expect(try stage.denial(of: stage.envelope()).reason == "chip \(chip) is revoked")
        }
        try stage.store.revoke(.chip(chip, owner: "another"), note: "", at: stage.now)
        let envelope = try stage.envelope()
        let results = try stage.unseal(stage.request([envelope.message.compact]))
        #expect(try stage.open(results[0], answering: envelope) == stage.share)
    }

    @Test func `what was issued before the owner's not-before is refused`() throws {
        try stage.store.setNotBefore(stage.now - 10, ofOwner: "alice")
        let denial = try stage.denial(of: stage.envelope(issuedAt: stage.now - 11))
        #expect(
            denial.code == .refused && denial.reason.contains("\(stage.now - 10)")
                && denial.reason.contains("\(stage.now - 11)"))
        let envelope = try stage.envelope(issuedAt: stage.now - 10)
        let results = try stage.unseal(stage.request([envelope.message.compact]))
        #expect(try stage.open(results[0], answering: envelope) == stage.share)
    }

    // MARK: - The audit log

    @Test func `every decision is in the log with who, what and why`() throws {
        let good = try stage.envelope()
        let bad = try stage.envelope(policy: Stage.policy(measurement: [UInt8](repeating: 1, count: 48)))
        _ = try stage.unseal(stage.request([good, bad].map(\.message.compact)))
        let entries = try stage.store.auditEntries(last: 10)
        #expect(entries.map(\.verdict.decision) == [.granted, .refused])
        #expect(entries.map(\.binding) == [good.header.id, bad.header.id])
        #expect(entries.allSatisfy { $0.owner == stage.owner.publicKey.thumbprint && $0.remote == "192.0.2.7" })
        #expect(entries.allSatisfy { $0.chip == Base64URL.encode(SNPSettings.defaultChip) && $0.simulated })
        #expect(entries[0].verdict.failures.isEmpty && !entries[1].verdict.failures.isEmpty)
    }

    @Test func `no share is in any file of the broker`() throws {
        _ = try stage.unseal(stage.request([stage.envelope().message.compact]))
        let forms = [stage.share, Array(Base64URL.encode(stage.share).utf8), Array(Hex.encode(stage.share).utf8)]
        for content in try stage.scratch.contents() {
            for form in forms { #expect(content.firstRange(of: form) == nil) }
        }
    }

    @Test func `where the log cannot be written nothing is answered`() throws {
        let request = try stage.request([stage.envelope().message.compact])
        try stage.store.execute("DROP TABLE audit")
        try expectRejection(of: request, "Unavailable", 503, "audit log")
    }

    @Test func `refused requests cannot fill the disk`() {
        let budget = AuditBudget()
        let taken = (0..<1000).filter { _ in budget.take(at: 6000) }.count
        #expect(taken == AuditBudget.rowsPerMinute)
        #expect(budget.take(at: 6060))
    }

    // MARK: -

    private func expectRejection(
        of request: UnsealRequest, _ name: String, _ status: Int, _ detail: String, at moment: Int64? = nil
    ) throws {
        let rejection = #expect(throws: Rejection.self) { try stage.unseal(request, at: moment) }
        #expect(rejection?.variant.name == name && rejection?.variant.status == status)
        #expect(detail.isEmpty || rejection?.detail.contains(detail) == true, "\(rejection?.detail ?? "")")
    }

    private func replacingKey(of request: UnsealRequest, with key: PublicKey) throws -> UnsealRequest {
        var message = try request.json.object.orThrow("an object")
        var runtimeData = try message["runtime-data"]?.object.orThrow("runtime-data") ?? [:]
        var members = try key.jwk.object.orThrow("a JWK")
        members["alg"] = "ECDH-ES+A256KW"
        runtimeData["tee-pubkey"] = .object(members)
        message["runtime-data"] = .object(runtimeData)
        return try UnsealRequest(.object(message))
    }
}
