// SPDX-License-Identifier: Apache-2.0
import Attestation
import Glibc
import PinKit
import TEE
import TEESimulator
import Testing

/// The simulated TDX platform and its collateral, before the verifier that judges real evidence.
struct TDXTests {
    private let now = Int64(time(nil))
    private let reportData = [UInt8](1...64)

    @Test(arguments: [4, 5] as [UInt16])
    func `what the simulator writes is what TEE reads`(version: UInt16) throws {
        var settings = TDXSettings()
        settings.version = version
        settings.mrOwner = [UInt8](repeating: 7, count: 48)
        settings.padding = 100
        let quote = try TDXQuote(parsing: SimulatedTDX(settings).quote(over: reportData))
        #expect(quote.version == version)
        #expect(quote.report.reportData == reportData)
        #expect(quote.report.mrTD == TDXSettings.defaultMRTD)
        #expect(quote.report.rtmrs == TDXSettings.defaultRTMRs)
        #expect(quote.report.mrOwner == settings.mrOwner)
        #expect(quote.report.attributes == .septVEDisable)
        #expect((quote.report.teeTCB2 != nil) == (version == 5))
    }

    @Test(arguments: [4, 5] as [UInt16])
    func `a simulated quote verifies under the simulated root, and is marked`(version: UInt16) throws {
        var settings = TDXSettings()
        settings.version = version
        let genuine = try verify(settings)
        #expect(genuine.isSimulated)
        #expect(genuine.tcbStatus == .upToDate && genuine.advisories.isEmpty)
        #expect(genuine.ppid == TDXSettings.defaultPPID && genuine.fmspc == TDXSettings.fmspc)
    }

    @Test func `nobody believes it under Intel's root`() throws {
        #expect(throws: EvidenceError(.refused)) {
            try TDXVerifier(anchors: .intel, collateral: [collateral()])
        }
        let verifier = try TDXVerifier(anchors: .intel, collateral: [])
        #expect(throws: EvidenceError(.refused)) {
            try verifier.verify(quote: SimulatedTDX().quote(over: reportData), at: now)
        }
    }

    @Test(arguments: ["expired-certificate", "revoked-certificate", "swapped-key", "wrong-qe"])
    func `the verifier refuses the fault`(name: String) throws {
        var settings = TDXSettings()
        try #require(Fault(named: name)).apply(to: &settings)
        #expect(throws: EvidenceError(.refused)) { try verify(settings) }
    }

    @Test(arguments: SimulatedCollateral.Flaw.allCases)
    func `the verifier does not accept a quote by collateral that is`(flaw: SimulatedCollateral.Flaw) throws {
        let code: EvidenceError.Code = [.expired, .foreignFMSPC].contains(flaw) ? .unavailable : .refused
        #expect(throws: EvidenceError(code)) { try verify(TDXSettings(), flaw: flaw) }
    }

    @Test func `what is older than the newest level is said to be so`() throws {
        var settings = TDXSettings()
        settings.components[5] = 0
        #expect(try verify(settings).tcbStatus == .swHardeningNeeded)
        settings = TDXSettings()
        settings.teeTCB[0] = 2
        #expect(try verify(settings).moduleStatus == .outOfDate)
        settings = TDXSettings()
        settings.qeSVN = 2
        #expect(try verify(settings).tcbStatus == .outOfDate)
        settings.qeSVN = 1
        #expect(throws: EvidenceError(.refused)) { try verify(settings) }
        settings = TDXSettings()
        settings.components = [UInt8](repeating: 0, count: 16)
        #expect(throws: EvidenceError(.refused)) { try verify(settings) }
    }

    @Test func `the verifier refuses a quote of which any signed byte was changed`() throws {
        let platform = try SimulatedTDX()
        let verifier = try TDXVerifier(anchors: anchors, collateral: [collateral()])
        for offset in 0..<632 {
            let quote = try platform.quote(over: reportData, flipping: [offset])
            #expect(throws: EvidenceError.self, "byte \(offset)") { try verifier.verify(quote: quote, at: now) }
        }
    }

    @Test func `the default guest meets the example policy, and no other does`() throws {
        let policy = try TDXPolicy(json: TDXSettings.examplePolicy)
        #expect(policy.judge(try verify(TDXSettings())).accepted)
        let changes: [@Sendable (inout TDXSettings) -> Void] = [
            { $0.attributes |= 1 }, { $0.attributes = 0 }, { $0.mrTD[0] ^= 1 }, { $0.rtmrs[1][0] ^= 1 },
            { $0.rtmrs[2][47] ^= 1 }, { $0.components[5] = 0 }, { $0.qeSVN = 2 },
        ]
        for (index, change) in changes.enumerated() {
            var settings = TDXSettings()
            change(&settings)
            #expect(try !policy.judge(verify(settings)).accepted, "change \(index)")
        }
    }

    @Test func `a setting of the wrong width is named`() {
        var settings = TDXSettings()
        settings.rtmrs[2].removeLast()
        #expect {
            try SimulatedTDX(settings)
        } throws: { error in
            "\(error)" == "RTMR2: 47 bytes given, 48 expected"
        }
    }

    // MARK: - The shipped reporter on it

    @Test func `the shipped reporter gets a quote`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.tdx(TDXSettings())).enter()
            let reportData = [UInt8](1...64)
            let evidence = try PlatformReporter(.tdxGuest).report(over: reportData, before: .after(seconds: 10))
            #expect(evidence.provider == "tdx_guest" && evidence.certificates.isEmpty)
            #expect(try TDXQuote(parsing: evidence.report).report.reportData == reportData)
        }
    }

    @Test func `the event log leads to the registers of the quote`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.tdx(TDXSettings())).enter()
            let log = try #require(CCEL().read())
            #expect(log.count < 1024)
            #expect(try EventLog(parsing: log).replay == TDXSettings.defaultRTMRs)
        }
    }

    @Test func `a report directory of TDX has no certificates and no privilege levels`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.tdx(TDXSettings())).enter()
            let entry = try Entry()
            #expect(entry.names == ["generation", "inblob", "outblob", "provider"])
            #expect(throws: Failed(code: ENOENT)) { try entry.read("auxblob") }
        }
    }

    @Test func `who wants the other TEE is told which one this is, without a trace`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.tdx(TDXSettings())).enter()
            let error = #expect(throws: PinError(.refused)) { try PlatformReporter(.sevGuest).requirePlatform() }
            #expect(error?.detail == "this machine is not an AMD SEV-SNP guest: its reports come from tdx_guest")
            #expect(throws: Never.self) { try PlatformReporter(.tdxGuest).requirePlatform() }
            #expect(Kernel.names(in: "/sys/kernel/config/tsm/report").isEmpty)
        }
    }

    @Test(arguments: ["empty-outblob", "truncated-outblob", "wrong-report-data", "tampered-report:568"])
    func `the reporter notices`(fault: String) async {
        await #expect(processExitsWith: .success) { [fault] in
            let fault = try #require(Fault(named: fault))
            try SimulatedPlatform(.tdx(TDXSettings()), fault: fault).enter()
            #expect(throws: PinError(.failed)) {
                try PlatformReporter(.tdxGuest).report(over: [UInt8](1...64), before: .after(seconds: 10))
            }
        }
    }

    @Test func `a fault of the other platform is none of this one`() {
        let platform = SimulatedPlatform(.tdx(TDXSettings()), fault: .wrongSPL)
        #expect(throws: SimulatorError.self) { try platform.enter() }
    }

    private var anchors: TDXTrustAnchors {
        get throws { try .intel.addingSimulated(root: Array(SimulatedTrust.intelRootPEM.utf8)) }
    }

    private func collateral(_ flaw: SimulatedCollateral.Flaw? = nil) throws -> TDXCollateral {
        let files = try SimulatedCollateral(at: now, flaw: flaw).files
        return TDXCollateral { name in files.first { $0.name == name }?.content }
    }

    private func verify(_ settings: TDXSettings, flaw: SimulatedCollateral.Flaw? = nil) throws -> GenuineTDX {
        try TDXVerifier(anchors: anchors, collateral: [collateral(flaw)]).verify(
            quote: SimulatedTDX(settings).quote(over: reportData), at: now)
    }
}
