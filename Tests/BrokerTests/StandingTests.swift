// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import PinKit
import TEESimulator
import Testing

/// A broker decides from memory, and yet by what the store says when it answers.
@Suite(.eachStore) struct StandingTests {
    let stage: Stage
    let envelope: Envelope

    init() throws {
        stage = try Stage()
        envelope = try stage.envelope()
    }

    private func opens() throws -> Bool {
        if case .answer = try stage.unseal(stage.request([envelope.message.compact])).first { true } else { false }
    }

    private func expect(_ count: Int, _ decision: Verdict.Decision) throws {
        var filter = AuditFilter()
        filter.decision = decision
        #expect(try stage.store.audit(filter, last: 10).count == count, "\(decision.rawValue)")
    }

    @Test(arguments: 0..<4) func `what is taken back is gone with the next request`(number: Int) throws {
        #expect(try opens())
        let thumbprint = stage.owner.publicKey.thumbprint
        switch number {
        case 0: try stage.store.revoke(.binding(envelope.header.id, owner: thumbprint), note: "", at: stage.now)
        case 1:
            try stage.store.revoke(.chip(Base64URL.encode(SNPSettings.defaultChip), owner: nil), note: "", at: stage.now)
        case 2: try stage.store.setNotBefore(stage.now + 1, ofOwner: "alice")
        default: try stage.store.remove(owner: "alice")
        }
        #expect(try !opens())
        // The decision that was made from memory first is in no log.
        try expect(1, .granted)
        try expect(1, .refused)
    }

    @Test func `who was not enrolled is found when he is`() throws {
        try stage.store.remove(owner: "alice")
        #expect(try !opens())
        try stage.store.enrol("alice", stage.owner.publicKey, at: stage.now)
        #expect(try opens())
    }

    @Test func `every replica notices`() throws {
        let replica = stage.replica()
        let request = try stage.request([envelope.message.compact])
        guard case .answer = try replica.unseal(request, from: "::1", at: stage.now).response.results.first else {
            throw Missing(what: "an answer")
        }
        try stage.store.remove(owner: "alice")
        let next = try stage.request([envelope.message.compact])
        guard case .denied = try replica.unseal(next, from: "::1", at: stage.now).response.results.first else {
            throw Missing(what: "a denial")
        }
    }

    @Test func `without a stamp nothing is answered`() throws {
        #expect(try opens())
        try stage.store.execute("DELETE FROM standing")
        #expect(throws: Rejection.self) { try opens() }
    }
}
