// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import Foundation
import PinKit
import TEESimulator
import Testing

@Suite struct RevocationListTests {
    let now = systemSeconds()

    @Test func `a list that names another key leaves evidence as it is`() throws {
        let stage = try Stage(revocations: [try SimulatedTrust.revocationList(at: now)])
        let envelope = try stage.envelope()
        let result = try #require(try stage.unseal(stage.request([envelope.message.compact])).first)
        #expect(try stage.open(result, answering: envelope) == stage.share)
    }

    @Test func `evidence below a revoked key is refused, and the log says so`() throws {
        let stage = try Stage(revocations: [try SimulatedTrust.revocationList(at: now, revokingASK: true)])
        let request = try stage.request([stage.envelope().message.compact])
        let rejection = #expect(throws: Rejection.self) { try stage.unseal(request) }
        #expect(rejection?.variant == .evidenceRefused)
        #expect(rejection?.detail.contains("has revoked") == true)
        #expect(try stage.store.auditEntries(last: 1).first?.verdict.reason.contains("has revoked") == true)
    }

    @Test func `a list of another year does not do`() throws {
        let stage = try Stage(revocations: [try SimulatedTrust.revocationList(at: now - 2 * 365 * 86_400)])
        let request = try stage.request([stage.envelope().message.compact])
        let rejection = #expect(throws: Rejection.self) { try stage.unseal(request) }
        #expect(rejection?.detail.contains("cannot be judged: unavailable: revocation list") == true)
    }

    @Test func `a list that no trusted root signed keeps a broker from starting`() throws {
        let scratch = try TemporaryDirectory()
        let path = "\(scratch.path)/ark.crl"
        try Data(try SimulatedTrust.revocationList(at: now)).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: BrokerError.self) { try EvidenceCheck(simulatorTrust: nil, revocationLists: [path]) }
        #expect(error?.description.contains("ark.crl") == true)
        #expect(throws: BrokerError.self) {
            try EvidenceCheck(simulatorTrust: nil, revocationLists: ["\(scratch.path)/absent.crl"])
        }
    }
}
