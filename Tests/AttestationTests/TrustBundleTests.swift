// SPDX-License-Identifier: Apache-2.0
import Attestation
import EvidenceVectors
import PinKit
import TEE
import Testing

private let anchors: TrustAnchors = {
    let genoa = try! TrustAnchors.amd.addingSimulated(
        ark: CertificateDraft.ark().der(), ask: CertificateDraft.ask(serial: 7).der(),
        asvk: CertificateDraft.asvk(serial: 8).der())
    return try! genoa.addingSimulated(ark: CertificateDraft.ark("Turin").der(), ask: CertificateDraft.ask("Turin").der())
}()

@Suite struct TrustBundleTests {
    private let list = RevocationListDraft(issuer: "ARK-Genoa", serials: [9], signer: .ark).der()
    private let platforms = [FakePlatform.genoa(), .turin(), .vlek()]

    private func bundle(_ anchors: TrustAnchors = anchors) throws -> TrustBundle {
        var bundle = TrustBundle(anchors: anchors)
        for file in [list] + platforms.map({ $0.certificate.der() }) { try bundle.add(file) }
        return bundle
    }

    @Test func `a bundle says what is in it, each part once, whatever the order it came in`() throws {
        var bundle = try bundle()
        #expect(
            bundle.parts.map(\.title).sorted() == [
                "Genoa VCEK of chip 0102030405060708 at bl 10, tee 0, snp 23, ucode 84",
                "Genoa VLEK of CN=a cloud at bl 10, tee 0, snp 23, ucode 84",
                "Turin VCEK of chip 0910b4f884ff4ba9 at fmc 1, bl 3, tee 2, snp 5, ucode 97", "revocation list of ARK-Genoa",
            ])
        let names = bundle.parts.map(\.name)
        #expect(names == names.sorted() && Set(names).count == 4 && names.allSatisfy { $0.hasPrefix("amd/") })
        #expect(!bundle.parts.map(\.isSimulated).contains(false))
        try bundle.add(list)
        #expect(bundle.parts.count == 4)
    }

    @Test func `what is written is read again, byte for byte`() throws {
        let bundle = try bundle()
        let text = Array(bundle.json.canonical.utf8)
        let again = try TrustBundle(parsing: text, anchors: anchors)
        #expect(again.parts.map(\.name) == bundle.parts.map(\.name))
        #expect(Array(again.json.canonical.utf8) == text)
        let files = again.parts.flatMap(\.files)
        #expect(files.map(\.path) == bundle.parts.map(\.name) && files.contains { $0.bytes == list })
    }

    @Test func `a report without certificates finds its own in a bundle, and is verified with its list`() throws {
        let bundle = try bundle()
        let verifier = SNPVerifier(anchors: anchors, revocations: try bundle.revocations())
        for (platform, isChecked) in zip(platforms, [true, false, true]) {
            let report = platform.signedReport()
            let table = try #require(try bundle.certificates(for: SNPReport(parsing: report)))
            let genuine = try verifier.verify(report: report, certificates: table.encoded, at: FakePlatform.now)
            #expect(genuine.isRevocationChecked == isChecked)
        }
        var other = FakePlatform.genoa()
        other.report[0x1A0] ^= 1
        #expect(try bundle.certificates(for: SNPReport(parsing: other.signedReport())) == nil)
    }

    @Test func `a part that no anchor signed is refused as it is read`() throws {
        let text = Array(try bundle().json.canonical.utf8)
        #expect(throws: EvidenceError(.refused)) { try TrustBundle(parsing: text, anchors: .amd) }
        var foreign = FakePlatform.genoa().certificate
        foreign.signer = .ark
        #expect(throws: EvidenceError(.refused)) {
            var bundle = TrustBundle(anchors: anchors)
            try bundle.add(foreign.der())
        }
    }

    @Test func `what is no part of a bundle is malformed`() {
        for file in [[], [0x30, 0], CertificateDraft.ask().der(), list + [0], Array("-----BEGIN X".utf8)] as [[UInt8]] {
            #expect(throws: EvidenceError(.malformed), "\(file.count) bytes") {
                var bundle = TrustBundle(anchors: anchors)
                try bundle.add(file)
            }
        }
        let texts = [
            "", "{}", #"{"version":2,"amd":[]}"#, #"{"version":1,"amd":[1]}"#, #"{"version":1,"amd":["*"]}"#,
            #"{"version":1,"amd":["MAA"]}"#, #"{"version":1,"amd":[],"intel":[{}]}"#,
            #"{"version":1,"amd":[],"intel":[[]]}"#, #"{"version":1,"amd":[],"more":1}"#,
        ]
        for text in texts {
            #expect(throws: EvidenceError(.malformed), "\(text)") {
                try TrustBundle(parsing: Array(text.utf8), anchors: anchors)
            }
        }
    }

    @Test(.enabled(if: Vectors.present, "\(Vectors.missing)"))
    func `real certificates go into a bundle and serve their reports`() throws {
        var bundle = TrustBundle(anchors: .amd)
        for folder in Vectors.evidence {
            try bundle.add(Vectors.read("snp/\(folder)/\(folder.contains("vlek") ? "vlek" : "vcek").der"))
        }
        #expect(bundle.parts.count == Vectors.evidence.count && !bundle.parts.map(\.isSimulated).contains(true))
        for folder in Vectors.evidence {
            let report = try SNPReport(parsing: Vectors.read("snp/\(folder)/report.bin"))
            #expect(bundle.certificates(for: report) != nil, "\(folder)")
        }
    }

    @Test(.enabled(if: Vectors.present, "\(Vectors.missing)"), arguments: RealTDX.good)
    func `real collateral goes into a bundle and serves its quote`(real: RealTDX) throws {
        var bundle = TrustBundle()
        try bundle.add(real.collateral())
        let text = Array(bundle.json.canonical.utf8)
        let again = try TrustBundle(parsing: text)
        #expect(again.collateral == [try real.collateral()])
        let part = try #require(again.parts.first)
        #expect(part.name.hasPrefix("intel/\(real.collateralFolder.prefix(12))-") && part.files.count == 7)
        #expect(part.isValid(at: real.seconds) && !part.isValid(at: part.validUntil + 1))
        let verifier = try TDXVerifier(anchors: .intel, collateral: again.collateral)
        #expect(throws: Never.self) { try verifier.verify(quote: real.quote(), at: real.seconds) }
        var tampered = try real.collateral()
        tampered[.tcbInfo]?[40] ^= 1
        #expect(throws: EvidenceError.self) { try bundle.add(tampered) }
        var incomplete = try real.collateral()
        incomplete[.rootRevocationList] = nil
        #expect(throws: EvidenceError(.unavailable)) { try bundle.add(incomplete) }
    }
}
