// SPDX-License-Identifier: Apache-2.0
import Attestation
import PinKit
import TEE
import Testing

@Suite struct SNPRevocationsTests {
    private static let ask = CertificateDraft.ask(serial: 0x020002)
    private static let asvk = CertificateDraft.asvk(serial: 0x020101)
    private static let anchors = try! TrustAnchors.amd.addingSimulated(
        ark: CertificateDraft.ark().der(), ask: ask.der(), asvk: asvk.der())

    private func verify(
        _ platform: FakePlatform, _ lists: [RevocationListDraft], at seconds: Int64 = FakePlatform.now
    ) throws(EvidenceError) -> GenuineSNP {
        let revocations = try SNPRevocations(lists.map { $0.der() }, anchors: Self.anchors)
        return try SNPVerifier(anchors: Self.anchors, revocations: revocations).verify(
            report: platform.signedReport(), certificates: platform.table(), at: seconds)
    }

    private func list(_ serials: [Int] = [], validity: ClosedRange<Int64> = 1_750_000_000...1_850_000_000)
        -> RevocationListDraft
    {
        RevocationListDraft(issuer: "ARK-Genoa", validity: validity, serials: serials, signer: .ark)
    }

    @Test func `with a list of the day that names others, evidence is genuine and checked`() throws {
        #expect(try verify(.genoa(), [list([0x020001, 0x010001])]).isRevocationChecked)
        #expect(try verify(.vlek(), [list([0x020001])]).isRevocationChecked)
        #expect(try !verify(.genoa(), []).isRevocationChecked)
    }

    @Test func `a revoked ASK is refused for VCEKs, a revoked ASVK for VLEKs, and not the other way about`() throws {
        let error = #expect(throws: EvidenceError(.refused)) { try verify(.genoa(), [list([7, 0x020002])]) }
        #expect(error?.description == "refused: revocation list: ARK-Genoa has revoked SEV-Genoa")
        #expect(throws: EvidenceError(.refused)) { try verify(.vlek(), [list([0x020101])]) }
        #expect(throws: Never.self) { try verify(.vlek(), [list([0x020002])]) }
        #expect(throws: Never.self) { try verify(.genoa(), [list([0x020101])]) }
    }

    @Test func `a list of another day says nothing good, and still says what is bad`() {
        let old = list(validity: 1_750_000_000...1_799_999_999)
        let error = #expect(throws: EvidenceError(.unavailable)) { try verify(.genoa(), [old]) }
        #expect(error?.step == "revocation list")
        #expect(throws: EvidenceError(.unavailable)) {
            try verify(.genoa(), [list(validity: 1_800_000_001...1_850_000_000)])
        }
        #expect(throws: Never.self) { try verify(.genoa(), [old, list()]) }
        #expect(throws: EvidenceError(.refused)) {
            try verify(.genoa(), [list([0x020002], validity: 1_750_000_000...1_799_999_999), list()])
        }
    }

    @Test func `a list that no trusted ARK signed is not taken`() {
        var foreign = list()
        foreign.signer = .ask
        var misnamed = list()
        misnamed.issuer = "ARK-Milan"
        for draft in [foreign, misnamed] {
            #expect(throws: EvidenceError(.refused)) { try SNPRevocations([draft.der()], anchors: Self.anchors) }
        }
        #expect(throws: EvidenceError(.refused)) { try SNPRevocations([list().der()], anchors: .amd) }
        #expect(throws: EvidenceError(.malformed)) { try SNPRevocations([[0x30, 0]], anchors: Self.anchors) }
    }

    @Test func `the list of one product says nothing of another`() throws {
        let turin = try Self.anchors.addingSimulated(
            ark: CertificateDraft.ark("Turin").der(), ask: CertificateDraft.ask("Turin").der())
        let revocations = try SNPRevocations([list().der()], anchors: turin)
        let genuine = try SNPVerifier(anchors: turin, revocations: revocations).verify(
            report: FakePlatform.turin().signedReport(), certificates: FakePlatform.turin().table(), at: FakePlatform.now)
        #expect(!genuine.isRevocationChecked)
    }

    @Test func `the figures know the serial numbers that AMD's lists would name`() {
        let serials = TrustAnchors.amd.chains.map { Hex.encode($0.issuer.serial) }
        #expect(serials == ["010001", "010101", "020002", "020101", "030001", "030101"])
    }
}
