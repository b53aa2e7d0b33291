// SPDX-License-Identifier: Apache-2.0
import Attestation
import EvidenceVectors
import PinKit
import TEE
import Testing

/// A real quote, the collateral that goes with it, and the day at which both are good.
struct RealTDX: Sendable, CustomTestStringConvertible {
    let folder: String
    let collateralFolder: String
    let day: String
    var padded = false
    var testDescription: String { folder }

    var seconds: Int64 { Timestamp.seconds("\(day)T00:00:00Z")! }

    func quote() throws -> [UInt8] { try Vectors.read("tdx/\(folder)/quote.bin") }
    func paddedQuote() throws -> [UInt8] { try Vectors.read("tdx/\(folder)/quote_as_returned_padded.bin") }

    func collateral() throws -> TDXCollateral { try Self.collateral(collateralFolder) }

    static func collateral(_ folder: String) throws -> TDXCollateral {
        try TDXCollateral { name in try Vectors.read("tdx/collateral/\(folder)/\(name)") }
    }

    func verifier() throws -> TDXVerifier { try TDXVerifier(anchors: .intel, collateral: [collateral()]) }

    func genuine() throws -> GenuineTDX { try verifier().verify(quote: quote(), at: seconds) }

    /// Both can be judged but for one date: their TCB signing certificate is younger than their collateral.
    static let misdated = [
        RealTDX(
            folder: "v4-00806f05-outofdate", collateralFolder: "00806f050000-2025-01-21", day: "2025-02-01", padded: true),
        RealTDX(
            folder: "v4-00806f05-gcp-cos113", collateralFolder: "00806f050000-2025-01-21", day: "2025-02-01", padded: true),
    ]
    static let b0c06f = RealTDX(
        folder: "v4-b0c06f-uptodate", collateralFolder: "b0c06f000000-2025-06-19", day: "2025-07-01", padded: true)
    static let version5 = RealTDX(
        folder: "v5-90c06f-uptodate", collateralFolder: "90c06f000000-2026-02-18", day: "2026-02-20")
    static let noLevel = RealTDX(
        folder: "v5-90c06f-notcblevel", collateralFolder: "90c06f000000-2026-02-18", day: "2026-02-20")
    static let debug = RealTDX(
        folder: "v4-50806f-trustee-debug-outofdate", collateralFolder: "50806f000000-2026-03-16", day: "2026-04-01")
    static let good = [b0c06f, version5, debug]
}

@Suite(.enabled(if: Vectors.present, "\(Vectors.missing)")) struct RealTDXTests {
    @Test func `every quote is tested here`() {
        #expect((RealTDX.misdated + RealTDX.good + [.noLevel]).map(\.folder).sorted() == Vectors.quotes)
    }

    @Test(arguments: RealTDX.good)
    func `a real quote is genuine at its date`(real: RealTDX) throws {
        let genuine = try real.genuine()
        #expect(!genuine.isSimulated && genuine.eventLog == nil)
        #expect(genuine.fmspc == Hex.decode(real.collateralFolder.prefix(12)))
        #expect(genuine.report == (try TDXQuote(parsing: real.quote()).report))
    }

    @Test func `an up-to-date platform is up to date in all its parts`() throws {
        for real in [RealTDX.b0c06f, .version5] {
            let genuine = try real.genuine()
            #expect(genuine.tcbStatus == .upToDate && genuine.platformStatus == .upToDate)
            #expect(genuine.moduleStatus == .upToDate && genuine.qeStatus == .upToDate && genuine.advisories.isEmpty)
        }
        #expect(try RealTDX.b0c06f.genuine().tcbDate == Timestamp.seconds("2024-03-13T00:00:00Z"))
        #expect(try RealTDX.b0c06f.genuine().tcbEvaluation == 17)
        #expect(try RealTDX.version5.genuine().tcbDate == Timestamp.seconds("2024-11-13T00:00:00Z"))
        #expect(try RealTDX.version5.genuine().tcbEvaluation == 18)
    }

    @Test func `a module without a major version counts in the platform's level`() throws {
        let genuine = try RealTDX.debug.genuine()
        #expect(genuine.tcbStatus == .outOfDate && genuine.platformStatus == .outOfDate)
        #expect(genuine.moduleStatus == nil && genuine.qeStatus == .upToDate)
        #expect(genuine.tcbDate == Timestamp.seconds("2023-02-15T00:00:00Z"))
        let meta = try Vectors.json("tdx/\(RealTDX.debug.folder)/meta.json")
        let expected = meta["check"]?["level"]?.array?.last?.array?.compactMap(\.string)
        #expect(genuine.advisories == expected)
        #expect(genuine.report.attributes.contains(.debug))
    }

    @Test func `a platform below every level is refused`() throws {
        let error = #expect(throws: EvidenceError(.refused)) { try RealTDX.noLevel.genuine() }
        #expect(error?.detail.hasPrefix("no level for components 03030202040100030000000000000000, PCE 13") == true)
    }

    @Test func `a quote whose collateral is older than its signer's certificate holds but for that date`() throws {
        for real in RealTDX.misdated {
            let genuine = try real.verifier().verifyIgnoringDates(quote: real.quote(), at: real.seconds)
            let outside = genuine.validities.filter { !$0.range.contains(real.seconds) }
            #expect(
                outside.map(\.part) == ["Intel SGX TCB Signing of the TCB info", "Intel SGX TCB Signing of the QE identity"])
            let error = #expect(throws: EvidenceError(.refused)) { try real.genuine() }
            #expect(error?.detail.hasPrefix("Intel SGX TCB Signing of the TCB info is not valid yet") == true)
            #expect(genuine.moduleStatus == .upToDate && genuine.qeStatus == .upToDate)
        }
        let (old, new) = (RealTDX.misdated[0], RealTDX.misdated[1])
        let outOfDate = try old.verifier().verifyIgnoringDates(quote: old.quote(), at: old.seconds)
        #expect(outOfDate.tcbStatus == .outOfDate && outOfDate.platformStatus == .outOfDate)
        #expect(outOfDate.advisories == ["INTEL-SA-00960", "INTEL-SA-00982", "INTEL-SA-00986"])
        #expect(outOfDate.tcbDate == Timestamp.seconds("2023-08-09T00:00:00Z"))
        let upToDate = try new.verifier().verifyIgnoringDates(quote: new.quote(), at: new.seconds)
        #expect(upToDate.tcbStatus == .upToDate && upToDate.advisories.isEmpty)
    }

    @Test func `padding changes nothing`() throws {
        for real in RealTDX.misdated + [.b0c06f] {
            let padded = try real.paddedQuote()
            #expect(padded.count > (try real.quote().count))
            let genuine = try real.verifier().verifyIgnoringDates(quote: padded, at: real.seconds)
            #expect(genuine.report == (try TDXQuote(parsing: real.quote()).report))
        }
    }

    @Test(arguments: RealTDX.good)
    func `a day after its collateral's window nothing can be told of a quote`(real: RealTDX) throws {
        let genuine = try real.genuine()
        let end = try #require(genuine.validities.map(\.range.upperBound).min())
        #expect(throws: Never.self) { try real.verifier().verify(quote: real.quote(), at: end) }
        let error = #expect(throws: EvidenceError(.unavailable)) {
            try real.verifier().verify(quote: real.quote(), at: end + 86_400)
        }
        #expect(error?.step == "dates" && error?.detail.contains("has expired") == true)
    }

    @Test(arguments: RealTDX.good)
    func `with another platform's collateral only, nothing can be told`(real: RealTDX) throws {
        let verifier = try TDXVerifier(anchors: .intel, collateral: [RealTDX.misdated[0].collateral()])
        let error = #expect(throws: EvidenceError(.unavailable)) {
            try verifier.verify(quote: real.quote(), at: real.seconds)
        }
        #expect(error?.detail == "none here for FMSPC \(real.collateralFolder.prefix(12))")
    }

    @Test func `each byte of a real quote counts`() throws {
        for real in [RealTDX.b0c06f, .version5] {
            let (quote, verifier) = (try real.quote(), try real.verifier())
            #expect(throws: Never.self) { try verifier.verify(quote: quote, at: real.seconds) }
            for index in quote.indices {
                var tampered = quote
                tampered[index] ^= UInt8(1 << (index % 8))
                #expect(throws: EvidenceError.self, "byte \(index)") {
                    try verifier.verify(quote: tampered, at: real.seconds)
                }
            }
        }
    }

    @Test func `a guest that can be debugged is refused by default, and its platform for its age`() throws {
        let genuine = try RealTDX.debug.genuine()
        let mrtd = JSON.string(Base64URL.encode(genuine.report.mrTD))
        let failed = try TDXPolicy(json: ["mrtd": [mrtd]]).judge(genuine).failed
        #expect(failed.map(\.name) == ["debug", "tcb_status", "advisories"])
        let lax: JSON = [
            "mrtd": [mrtd], "debug": true, "tcb_status": ["OutOfDate"],
            "advisories": .array(genuine.advisories.map { .string($0) }),
        ]
        #expect(try TDXPolicy(json: lax).judge(genuine).accepted)
    }

    @Test func `the strictest policy for an up-to-date guest accepts it and no other`() throws {
        for (real, other) in [(RealTDX.b0c06f, RealTDX.version5), (.version5, .b0c06f)] {
            let genuine = try real.genuine()
            let policy = try #require(TDXPolicy.strictest(accepting: genuine, covers: .everything))
            #expect(policy.judge(genuine).accepted)
            #expect(try policy.judge(other.genuine()).failed.map(\.name).contains("mrtd"))
        }
    }

    @Test func `a real event log gives all four registers of its quote`() throws {
        let real = RealTDX.misdated[1]
        var log = try Vectors.read("tdx/\(real.folder)/ccel.bin")
        let genuine = try real.verifier().verifyIgnoringDates(quote: real.quote(), eventLog: log, at: real.seconds)
        let events = try #require(genuine.eventLog?.events)
        #expect(genuine.eventLog?.replay == genuine.report.rtmrs)
        #expect(Set(events.map(\.rtmr)) == [0, 1, 2])
        #expect(genuine.report.rtmrs[3] == [UInt8](repeating: 0, count: 48))
        let place = try #require(log.indices.first { log[$0...].starts(with: events[7].digest) })
        log[place] ^= 1
        let error = #expect(throws: EvidenceError(.refused)) {
            try real.verifier().verifyIgnoringDates(quote: real.quote(), eventLog: log, at: real.seconds)
        }
        #expect(error?.step == "event log" && error?.detail.contains("give RTMR\(events[7].rtmr)") == true)
    }
}

@Suite struct IntelFiguresTests {
    @Test func `the root has the fingerprint that is published`() {
        #expect(
            TDXTrustAnchors.intel.roots.map { Hex.encode($0.authority.fingerprint) } == [
                "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
            ])
    }

    @Test(.enabled(if: Vectors.present, "\(Vectors.missing)"))
    func `the root's figures are those of Intel's certificate`() throws {
        let certificate = try Certificate(der: Vectors.read("tdx/ca/intel_sgx_root_ca.der"))
        #expect(try Authority(certificate, .ecdsaP256WithSHA256) == TDXTrustAnchors.intel.roots[0].authority)
    }
}
