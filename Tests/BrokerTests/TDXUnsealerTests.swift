// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import PinKit
import TEESimulator
import Testing

@Suite(.eachStore) struct TDXUnsealerTests {
    let stage: Stage

    init() throws { stage = try Stage() }

    private func envelope() throws -> Envelope {
        try stage.envelope(platform: .tdx, policy: TDXSettings.examplePolicy)
    }

    @Test(arguments: [4, 5] as [UInt16])
    func `a TDX guest that its owner wants gets its share`(version: UInt16) throws {
        var settings = TDXSettings()
        settings.version = version
        let envelope = try envelope()
        let results = try stage.unseal(stage.request([envelope.message.compact], tee: .tdx(settings)))
        #expect(try stage.open(results[0], answering: envelope) == stage.share)
        let entry = try stage.store.auditEntries(last: 1).first.orThrow("an entry")
        #expect(entry.chip == Base64URL.encode(TDXSettings.defaultPPID) && entry.simulated)
    }

    @Test func `evidence of one TEE opens no envelope of the other`() throws {
        let foreign = try stage.denial(of: stage.envelope(), tee: .tdx(TDXSettings()))
        #expect(foreign.code == .refused)
        #expect(foreign.reason == "the envelope is for AMD SEV-SNP, the evidence is of Intel TDX")
        let other = try stage.denial(of: envelope())
        #expect(other.reason == "the envelope is for Intel TDX, the evidence is of AMD SEV-SNP")
    }

    @Test func `all conditions that failed are named, in the audit log too`() throws {
        var settings = TDXSettings()
        settings.mrTD[0] ^= 1
        settings.rtmrs[2][0] ^= 1
        settings.attributes |= 1
        let denial = try stage.denial(of: envelope(), tee: .tdx(settings))
        #expect(denial.code == .refused)
        let failures = try stage.store.auditEntries(last: 1).first.orThrow("an entry").verdict.failures
        #expect(Set(failures.map(\.predicate)) == ["mrtd", "rtmr2", "debug"])
        for failure in failures { #expect(denial.reason.contains(failure.description)) }
    }

    @Test func `an SNP policy is none of TDX`() throws {
        let confused = try stage.envelope(platform: .tdx)
        #expect(try stage.denial(of: confused, tee: .tdx(TDXSettings())).code == .malformed)
    }

    @Test func `without collateral no quote is judged`() throws {
        let bare = try Stage(hasCollateral: false)
        let request = try bare.request([envelope().message.compact], tee: .tdx(TDXSettings()))
        let rejection = #expect(throws: Rejection.self) { try bare.unseal(request) }
        #expect(rejection?.variant == .evidenceRefused)
        #expect(rejection?.detail.contains("cannot be judged: unavailable: collateral") == true)
    }

    @Test func `collateral that is cut short keeps a broker from starting`() throws {
        let trust = stage.scratch.path + "/trust"
        #expect(throws: BrokerError.self) { try EvidenceCheck(simulatorTrust: trust, collateral: [stage.scratch.path]) }
        #expect(throws: BrokerError.self) { try EvidenceCheck(simulatorTrust: nil, collateral: [trust + "/collateral"]) }
    }

    @Test func `a quote with a changed byte, or made for another request, is refused`() throws {
        let text = try envelope().message.compact
        for request in [
            try stage.request([text], tee: .tdx(TDXSettings()), flipping: [200]),
            try stage.request([text], evidenceFor: [text, text], tee: .tdx(TDXSettings())),
        ] {
            let rejection = #expect(throws: Rejection.self) { try stage.unseal(request) }
            #expect(rejection?.variant == .evidenceRefused)
        }
    }

    @Test func `a revoked processor gets nothing`() throws {
        let chip = Base64URL.encode(TDXSettings.defaultPPID)
        try stage.store.revoke(.chip(chip, owner: nil), note: "", at: stage.now)
        let denial = try stage.denial(of: envelope(), tee: .tdx(TDXSettings()))
        #expect(denial.reason == "chip \(chip) is revoked")
    }

    @Test func `collateral below the broker's minimum is refused, whatever the policy says`() throws {
        let strict = try Stage(floors: ["tdx=19"])
        let envelope = try strict.envelope(platform: .tdx, policy: TDXSettings.examplePolicy)
        let denial = try strict.denial(of: envelope, tee: .tdx(TDXSettings()))
        #expect(denial.reason.contains("broker's minimum tcb (tdx) is judged by evaluation 18"))
        let content = try Stage(floors: ["tdx=18"])
        let welcome = try content.envelope(platform: .tdx, policy: TDXSettings.examplePolicy)
        let results = try content.unseal(content.request([welcome.message.compact], tee: .tdx(TDXSettings())))
        #expect(try content.open(results[0], answering: welcome) == content.share)
    }

    @Test(arguments: ["tdx", "tdx=", "tdx=-1", "tdx=x"]) func `what is no minimum is refused`(text: String) {
        #expect(throws: BrokerError.self) { try MinimumTCB([text]) }
    }
}
