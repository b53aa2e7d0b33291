// SPDX-License-Identifier: Apache-2.0
import PinKit
import TEE
import TEESimulator
import Testing

/// The shipped reporter on the simulated platform: no hook, no other path.
struct ReporterTests {
    @Test func `the shipped reporter gets a report that its certificate signed`() async {
        await #expect(processExitsWith: .success) {
            let evidence = try ask(SimulatedPlatform(.snp(SNPSettings())))
            #expect(evidence.provider == "sev_guest")
            #expect(try isSigned(evidence))
        }
    }

    @Test func `the privilege level asked for is the one reported`() async {
        await #expect(processExitsWith: .success) {
            let evidence = try ask(SimulatedPlatform(.snp(SNPSettings())), privilegeLevel: 3)
            #expect(try SNPReport(parsing: evidence.report).vmpl == 3)
            #expect(try isSigned(evidence))
        }
    }

    @Test func `many reports in a row are each their own`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings())).enter()
            for number in 0..<50 as Range<UInt8> {
                let reportData = [UInt8](repeating: number, count: 64)
                let evidence = try TSMReporter().report(over: reportData, before: .after(seconds: 10))
                #expect(try SNPReport(parsing: evidence.report).reportData == reportData)
            }
            #expect(Kernel.names(in: "/sys/kernel/config/tsm/report").isEmpty)
        }
    }

    @Test func `without a TEE the reporter says so`() async {
        await #expect(processExitsWith: .success) {
            #expect(throws: PinError(.unavailable)) { try ask(SimulatedPlatform(.none)) }
        }
    }

    @Test(arguments: [
        "empty-outblob", "firmware-error", "generation-race", "truncated-outblob", "wrong-report-data", "tampered-report:80",
    ])
    func `the reporter notices`(fault: String) async {
        await #expect(processExitsWith: .success) { [fault] in
            let fault = try #require(Fault(named: fault))
            let platform = SimulatedPlatform(.snp(SNPSettings()), fault: fault)
            #expect(throws: PinError(.failed)) { try ask(platform) }
        }
    }

    @Test func `a driver that goes away is unavailable`() async {
        await #expect(processExitsWith: .success) {
            let platform = SimulatedPlatform(.snp(SNPSettings()), fault: .providerGone)
            #expect(throws: PinError(.unavailable)) { try ask(platform) }
        }
    }

    @Test func `a stale report is noticed once there was another`() async {
        await #expect(processExitsWith: .success) {
            try SimulatedPlatform(.snp(SNPSettings()), fault: .staleNonce).enter()
            let first = [UInt8](repeating: 1, count: 64)
            let second = [UInt8](repeating: 2, count: 64)
            _ = try TSMReporter().report(over: first, before: .after(seconds: 10))
            #expect(throws: PinError(.failed)) { try TSMReporter().report(over: second, before: .after(seconds: 10)) }
        }
    }

    @Test func `a tampered report passes the reporter, and its signature fails`() async {
        await #expect(processExitsWith: .success) {
            let fault = try #require(Fault(named: "tampered-report"))
            let platform = SimulatedPlatform(.snp(SNPSettings()), fault: fault)
            let evidence = try ask(platform)
            #expect(try SNPReport(parsing: evidence.report).measurement != SNPSettings.defaultMeasurement)
            #expect(try !isSigned(evidence))
        }
    }

    @Test func `a host without certificates gives none`() async {
        await #expect(processExitsWith: .success) {
            let evidence = try ask(SimulatedPlatform(.snp(SNPSettings()), fault: .noCertificates))
            #expect(evidence.certificates.isEmpty)
        }
    }

    @Test(arguments: ["", "tampered", "tampered-report:", "tampered-report:8192", "slow", "slow:60001", "wrong-spl:1"])
    func `what is no fault is not taken for one`(text: String) {
        #expect(Fault(named: text) == nil)
    }

    @Test func `every fault of the catalogue is one`() {
        for (name, _) in Fault.catalogue {
            let text = name.split(separator: "[").first.map { $0.split(separator: ":MS").first == $0 ? $0 : "slow:1" }
            #expect(text.flatMap { Fault(named: String($0)) } != nil, "\(name)")
        }
    }
}

private func ask(_ platform: SimulatedPlatform, privilegeLevel: UInt8? = nil) throws -> TSMReport {
    try platform.enter()
    return try TSMReporter().report(over: [UInt8](1...64), privilegeLevel: privilegeLevel, before: .after(seconds: 10))
}

private func isSigned(_ evidence: TSMReport) throws -> Bool {
    let report = try SNPReport(parsing: evidence.report)
    let vcek = try #require(try SNPCertificateTable(parsing: evidence.certificates)[.vcek])
    return try X509Object(vcek).verifiesP384(report.signature, over: report.signedBytes)
}
