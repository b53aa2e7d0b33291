// SPDX-License-Identifier: Apache-2.0
import Attestation
import Glibc
import PinKit
import TEE
import TEESimulator
import Testing

/// What the simulator makes, before the verifier that judges real evidence.
struct VerificationTests {
    private let now = Int64(time(nil))
    private let reportData = [UInt8](1...64)

    @Test(arguments: [2, 3, 5] as [UInt32])
    func `simulated evidence verifies under the simulated anchors, and is marked`(version: UInt32) throws {
        var settings = SNPSettings()
        settings.version = version
        let genuine = try verify(settings, under: simulated)
        #expect(genuine.isSimulated)
        #expect(genuine.report.reportData == reportData)
    }

    @Test func `nobody believes it under AMD's anchors`() throws {
        #expect(throws: EvidenceError(.refused)) { try verify(SNPSettings(), under: .amd) }
    }

    @Test func `patch levels above 127 and the spread that real clouds show verify`() throws {
        var settings = SNPSettings()
        settings.tcb.reported = [10, 0, 0, 0, 0, 0, 23, 0xd9]
        settings.tcb.committed = [10, 0, 0, 0, 0, 0, 23, 0xdb]
        settings.tcb.current = [10, 0, 0, 0, 0, 0, 23, 0xdc]
        #expect(try verify(settings, under: simulated).report.reportedTCB.bytes == settings.tcb.reported)
    }

    @Test(
        arguments: [
            ("expired-certificate", .vcek), ("pkcs1-signature", .vcek), ("wrong-chip", .vcek), ("wrong-name", .vcek),
            ("wrong-spl", .vcek), ("expired-certificate", .vlek), ("pkcs1-signature", .vlek), ("wrong-name", .vlek),
            ("wrong-spl", .vlek),
        ] as [(String, SNPSigningKey)])
    func `the verifier refuses a certificate that is`(fault: String, key: SNPSigningKey) throws {
        var settings = SNPSettings()
        settings.signingKey = key
        try #require(Fault(named: fault)).apply(to: &settings)
        #expect(throws: EvidenceError(.refused)) { try verify(settings, under: simulated) }
    }

    @Test func `a report under a VLEK verifies, and names no chip`() throws {
        var settings = SNPSettings()
        settings.signingKey = .vlek
        let genuine = try verify(settings, under: simulated)
        #expect(genuine.signingKey == .vlek && genuine.provider == SNPSettings.provider)
        #expect(genuine.report.chipID.allSatisfy { $0 == 0 })
    }

    @Test func `the verifier refuses a report of which any byte was changed after signing`() throws {
        let platform = try SimulatedSNP()
        let verifier = SNPVerifier(anchors: try simulated)
        for offset in 0..<1184 {
            let report = try platform.report(for: reportData, flipping: [offset])
            #expect(throws: EvidenceError.self, "byte \(offset)") {
                try verifier.verify(report: report, certificates: platform.certificates, at: now)
            }
        }
    }

    @Test func `the default guest meets the example policy, and a debuggable one does not`() throws {
        let policy = try SNPPolicy(json: SNPSettings.examplePolicy)
        #expect(policy.judge(try verify(SNPSettings(), under: simulated)).accepted)
        var settings = SNPSettings()
        settings.policy = 0xb_0000
        #expect(!policy.judge(try verify(settings, under: simulated)).accepted)
    }

    private var simulated: TrustAnchors {
        get throws {
            try TrustAnchors.amd.addingSimulated(
                ark: Array(SimulatedTrust.arkPEM.utf8), ask: Array(SimulatedTrust.askPEM.utf8),
                asvk: Array(SimulatedTrust.asvkPEM.utf8))
        }
    }

    private func verify(_ settings: SNPSettings, under anchors: TrustAnchors) throws -> GenuineSNP {
        let platform = try SimulatedSNP(settings)
        return try SNPVerifier(anchors: anchors).verify(
            report: platform.report(for: reportData), certificates: platform.certificates, at: now)
    }
}
