// SPDX-License-Identifier: Apache-2.0
import TEE
import TEESimulator
import Testing

struct ParsingTests {
    @Test(arguments: [2, 3, 5] as [UInt32])
    func `what the simulator writes is what TEE reads`(version: UInt32) throws {
        var settings = SNPSettings()
        settings.version = version
        settings.vmpl = 2
        let platform = try SimulatedSNP(settings)
        let reportData = [UInt8](1...64)
        let report = try SNPReport(parsing: platform.report(for: reportData))
        #expect(report.version == version)
        #expect(report.product == (version == 2 ? nil : .genoa))
        #expect(report.vmpl == 2)
        #expect(report.reportData == reportData)
        #expect(report.measurement == SNPSettings.defaultMeasurement)
        #expect(report.signingKey == .vcek)
        #expect(try X509Object(platform.endorsementDER).verifiesP384(report.signature, over: report.signedBytes))
    }

    @Test func `the certificate table gives the certificates back`() throws {
        let platform = try SimulatedSNP()
        let table = try SNPCertificateTable(parsing: platform.certificates)
        #expect(table[.vcek] == platform.endorsementDER)
        #expect(table[.ask] == platform.askDER)
        #expect(table[.ark] == platform.arkDER)
        #expect(table[.vlek] == nil)
    }
}
