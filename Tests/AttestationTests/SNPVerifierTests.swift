// SPDX-License-Identifier: Apache-2.0
import Attestation
import COpenSSL
import PinKit
import TEE
import Testing

private let anchors: TrustAnchors = {
    let genoa = try! TrustAnchors.amd.addingSimulated(
        ark: CertificateDraft.ark().der(), ask: CertificateDraft.ask().der(), asvk: CertificateDraft.asvk().der())
    return try! genoa.addingSimulated(ark: CertificateDraft.ark("Turin").der(), ask: CertificateDraft.ask("Turin").der())
}()

@discardableResult
private func verify(_ platform: FakePlatform, at seconds: Int64 = FakePlatform.now) throws(EvidenceError) -> GenuineSNP {
    try SNPVerifier(anchors: anchors).verify(report: platform.signedReport(), certificates: platform.table(), at: seconds)
}

/// A change that must be refused (or found malformed) and a piece of what is said about it.
private struct Flaw: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let reason: String
    var code = EvidenceError.Code.refused
    let change: @Sendable (inout FakePlatform) -> Void

    init(
        _ name: String, _ reason: String, _ code: EvidenceError.Code = .refused,
        change: @escaping @Sendable (inout FakePlatform) -> Void
    ) {
        self.testDescription = name
        self.reason = reason
        self.code = code
        self.change = change
    }
}

@Suite struct SNPVerifierTests {
    @Test func `a Genoa's, a Turin's and a cloud's evidence is genuine`() throws {
        let genoa = try verify(.genoa())
        #expect(genoa.product == .genoa && genoa.signingKey == .vcek && genoa.isSimulated && genoa.provider == nil)
        #expect(try verify(.turin()).product == .turin)
        let cloud = try verify(.vlek())
        #expect(cloud.signingKey == .vlek && cloud.provider == "CN=a cloud")
        #expect(try verify(.genoa(version: 2)).product == .genoa)
    }

    @Test func `a patch level of 128 and more, and a chip id in an OCTET STRING, are read`() throws {
        var platform = FakePlatform.genoa()
        for field in [SNPField.currentTCB, .committedTCB, .reportedTCB] {
            field.put([10, 0, 0, 0, 0, 0, 23, 0xdb], into: &platform.report)
        }
        platform.certificate[amd: "3.8"] = [2, 2, 0, 0xdb]
        platform.certificate[amd: "4"] = [4, 64] + (1...64).map { UInt8($0) }
        #expect(throws: Never.self) { try verify(platform) }
    }

    @Test func `a raw chip id that looks like an OCTET STRING is raw`() throws {
        var platform = FakePlatform.genoa()
        let chip: [UInt8] = [4, 62] + (3...64).map { UInt8($0) }
        platform.certificate[amd: "4"] = chip
        SNPField.chipID.put(chip, into: &platform.report)
        #expect(throws: Never.self) { try verify(platform) }
    }

    @Test func `reported, committed and current TCB may differ upwards`() throws {
        var platform = FakePlatform.genoa()
        SNPField.committedTCB.put([10, 0, 0, 0, 0, 0, 23, 85], into: &platform.report)
        SNPField.currentTCB.put([11, 0, 0, 0, 0, 0, 24, 85], into: &platform.report)
        #expect(throws: Never.self) { try verify(platform) }
    }

    @Test(arguments: reportFlaws + certificateFlaws)
    private func `evidence with one flaw is refused`(flaw: Flaw) throws {
        var platform = FakePlatform.genoa()
        flaw.change(&platform)
        let error = #expect(throws: EvidenceError(flaw.code)) { try verify(platform) }
        #expect(error.map { "\($0)".contains(flaw.reason) } == true, "\(String(describing: error))")
    }

    private static let reportFlaws = [
        Flaw("signed by another key", "not by the key of the VCEK") { $0.key = .vlek },
        Flaw("algorithm 2", "algorithm 2") { $0[.signatureAlgorithm] = 2 },
        Flaw("no signing key", "by no key") { $0[.keyInfo] = 7 << 2 },
        Flaw("a signing key of the future", "by no key or by one not known") { $0[.keyInfo] = 2 << 2 },
        Flaw("masked chip key", "masks its chip key") { $0[.keyInfo] = 2 },
        Flaw("says VLEK", "gave no VLEK", .unavailable) { $0[.keyInfo] = 1 << 2 },
        Flaw("another chip", "another chip's") { $0.report[0x1A0] ^= 1 },
        Flaw("a lower TCB than the certificate's", "the report states bl 10, tee 0, snp 22") {
            SNPField.reportedTCB.put([10, 0, 0, 0, 0, 0, 22, 84], into: &$0.report)
        },
        Flaw("reserved TCB byte", "TCB") { SNPField.reportedTCB.put([10, 0, 1, 0, 0, 0, 23, 84], into: &$0.report) },
        Flaw("reported above committed", "not in ascending order") {
            SNPField.committedTCB.put([10, 0, 0, 0, 0, 0, 23, 83], into: &$0.report)
        },
        Flaw("committed above current", "not in ascending order") {
            SNPField.currentTCB.put([9, 0, 0, 0, 0, 0, 24, 85], into: &$0.report)
        },
        Flaw("another product", "the report is of a milan, the certificate of a genoa") { $0[.model] = 1 },
        Flaw("version 4", "version 4", .malformed) { $0[.version] = 4 },
    ]

    private static let certificateFlaws = [
        Flaw("not yet valid", "SEV-VCEK is not valid yet") { $0.certificate.validity = 1_800_000_001...1_900_000_000 },
        Flaw("expired", "SEV-VCEK has expired") { $0.certificate.validity = 1_700_000_000...1_799_999_999 },
        Flaw("signed by the ARK", "not signed by the SEV-Genoa") { $0.certificate.signer = .ark },
        Flaw("signed by the ASVK", "not signed by the SEV-Genoa") { $0.certificate.signer = .asvk },
        Flaw("says it is signed by the ASVK, and is", "no trusted key for it is named SEV-VLEK-Genoa") {
            $0.certificate.issuer = "SEV-VLEK-Genoa"
            $0.certificate.signer = .asvk
        },
        Flaw("an issuer nobody knows", "no trusted key for it is named SEV-Rome") { $0.certificate.issuer = "SEV-Rome" },
        Flaw("another product's issuer", "not signed by the SEV-Milan") { $0.certificate.issuer = "SEV-Milan" },
        Flaw("PKCS #1 v1.5", "not signed") { $0.certificate.padding = RSA_PKCS1_PADDING },
        Flaw("salt of 32", "not signed") { $0.certificate.saltLength = 32 },
        Flaw("SHA-256", "not signed") {
            $0.certificate.usesSHA256 = true
            $0.certificate.saltLength = 32
        },
        Flaw("subject SEV-VLEK", "its subject is SEV-VLEK") { $0.certificate.subject = "SEV-VLEK" },
        Flaw("another product's name", "it is for Milan-B0") { $0.certificate[amd: "2"] = FakePlatform.ia5("Milan-B0") },
        Flaw("a name that only begins so", "it is for Genoan") { $0.certificate[amd: "2"] = FakePlatform.ia5("Genoan") },
        Flaw("no product name", "productName", .malformed) { $0.certificate[amd: "2"] = nil },
        Flaw("no microcode level", "3.8 is missing", .malformed) { $0.certificate[amd: "3.8"] = nil },
        Flaw("a negative level", "3.8 is missing", .malformed) { $0.certificate[amd: "3.8"] = [2, 1, 0xd4] },
        Flaw("a level over 255", "3.8 is missing", .malformed) { $0.certificate[amd: "3.8"] = [2, 2, 1, 0x54] },
        Flaw("a level with a byte too many", "3.8 is missing", .malformed) { $0.certificate[amd: "3.8"] = [2, 2, 0, 0x54] },
        Flaw("a higher level", "the certificate is for bl 10, tee 0, snp 23, ucode 85") {
            $0.certificate[amd: "3.8"] = [2, 1, 85]
        },
        Flaw("no chip id", "names no chip") { $0.certificate[amd: "4"] = nil },
        Flaw("a chip id of 8 bytes", "names no chip as a genoa has") {
            $0.certificate[amd: "4"] = [1, 2, 3, 4, 5, 6, 7, 8]
        },
        Flaw("a chip id of 63 bytes", "hwID", .malformed) { $0.certificate[amd: "4"] = [UInt8](repeating: 1, count: 63) },
        Flaw("an extension twice", "occurs twice", .malformed) {
            $0.certificate.extensions.append((CertificateDraft.arc + "3.8", [2, 1, 84], false))
        },
        Flaw("an unknown critical extension", "is not known here", .malformed) {
            $0.certificate.extensions.append(("1.2.3.4", [5, 0], true))
        },
        Flaw("a key on P-256", "not on P-384") { $0.certificate.key = .p256 },
        Flaw("another key", "not by the key of the VCEK") { $0.certificate.key = .vlek },
    ]

    @Test func `a Turin is held to its 8 bytes, and to reports that know it`() throws {
        var platform = FakePlatform.turin()
        platform.report[0x1A8] = 1
        #expect(throws: EvidenceError(.refused)) { try verify(platform) }
        var old = FakePlatform.turin()
        old[.version] = 2
        let error = #expect(throws: EvidenceError(.refused)) { try verify(old) }
        #expect(error?.detail == "version 2 of the report is not one of a turin")
    }

    @Test func `a VLEK is not good below an ASK`() throws {
        var platform = FakePlatform.vlek()
        platform.certificate.issuer = "SEV-Genoa"
        platform.certificate.signer = .ask
        #expect(throws: EvidenceError(.refused)) { try verify(platform) }
    }

    @Test func `a simulated platform is nothing to who trusts AMD alone`() {
        let platform = FakePlatform.genoa()
        let error = #expect(throws: EvidenceError(.refused)) {
            try SNPVerifier(anchors: .amd).verify(
                report: platform.signedReport(), certificates: platform.table(), at: FakePlatform.now)
        }
        #expect(error?.detail == "not signed by the SEV-Genoa that is trusted here")
    }

    @Test func `each tampered bit of a report is refused`() throws {
        let platform = FakePlatform.genoa(version: 5)
        let (report, table) = (platform.signedReport(), platform.table())
        let verifier = SNPVerifier(anchors: anchors)
        #expect(throws: Never.self) { try verifier.verify(report: report, certificates: table, at: FakePlatform.now) }
        var accepted: [Int] = []
        for bit in 0..<report.count * 8 {
            var tampered = report
            tampered[bit / 8] ^= 1 << (bit % 8)
            let genuine = try? verifier.verify(report: tampered, certificates: table, at: FakePlatform.now)
            if genuine != nil { accepted.append(bit) }
        }
        #expect(accepted.isEmpty)
    }

    @Test func `each tampered byte of the certificate table is refused`() throws {
        let platform = FakePlatform.genoa()
        let (report, table) = (platform.signedReport(), platform.table())
        for index in table.indices {
            var tampered = table
            tampered[index] ^= UInt8(0x80 >> (index % 8))
            #expect(throws: EvidenceError.self, "byte \(index)") {
                try SNPVerifier(anchors: anchors).verify(report: report, certificates: tampered, at: FakePlatform.now)
            }
        }
    }

    @Test func `a host's own ARK and ASK in the table make nothing true`() throws {
        var platform = FakePlatform.genoa()
        platform.certificate.signer = .asvk
        var ask = CertificateDraft.ask()
        ask.key = .asvk
        let table = SNPCertificateTable(entries: [
            .init(kind: .vcek, bytes: platform.certificate.der()), .init(kind: .ask, bytes: ask.der()),
            .init(kind: .ark, bytes: CertificateDraft.ark().der()),
        ])
        #expect(throws: EvidenceError(.refused)) {
            try SNPVerifier(anchors: anchors).verify(
                report: platform.signedReport(), certificates: table.encoded, at: FakePlatform.now)
        }
    }

    @Test func `without a table the certificate is missing`() {
        let error = #expect(throws: EvidenceError(.unavailable)) {
            try SNPVerifier(anchors: anchors).verify(
                report: FakePlatform.genoa().signedReport(), certificates: [], at: FakePlatform.now)
        }
        #expect(error?.detail == "the host gave no VCEK certificate")
    }

    @Test func `bytes after a certificate, or a huge one, are malformed`() {
        let der = FakePlatform.genoa().certificate.der()
        for bytes in [der + [0], [], der + [UInt8](repeating: 0, count: 9000)] {
            let table = SNPCertificateTable(entries: [.init(kind: .vcek, bytes: bytes)]).encoded
            #expect(throws: EvidenceError(.malformed), "\(bytes.count) bytes") {
                try SNPVerifier(anchors: anchors).verify(
                    report: FakePlatform.genoa().signedReport(), certificates: table, at: FakePlatform.now)
            }
        }
    }

    @Test func `a certificate that is known still expires, and still is of one kind, one chip and one key`() throws {
        let verifier = SNPVerifier(anchors: anchors)
        let platform = FakePlatform.genoa()
        let table = platform.table()
        let check = { (report: [UInt8], table: [UInt8], seconds: Int64) throws(EvidenceError) in
            _ = try verifier.verify(report: report, certificates: table, at: seconds)
        }
        try check(platform.signedReport(), table, FakePlatform.now)
        try check(platform.signedReport(), table, FakePlatform.now)
        #expect(throws: EvidenceError(.refused)) { try check(platform.signedReport(), table, 1_900_000_001) }
        var other = platform
        other.report[0x1A0] ^= 1
        #expect(throws: EvidenceError(.refused)) { try check(other.signedReport(), table, FakePlatform.now) }
        other = platform
        other.key = .vlek
        #expect(throws: EvidenceError(.refused)) { try check(other.signedReport(), table, FakePlatform.now) }
        other = .vlek()
        other.certificate = platform.certificate
        #expect(throws: EvidenceError(.refused)) { try check(other.signedReport(), other.table(), FakePlatform.now) }
    }

    @Test func `many threads may verify at once`() async throws {
        let verifier = SNPVerifier(anchors: anchors)
        let evidence = [FakePlatform.genoa(), .turin(), .vlek()].map { ($0.signedReport(), $0.table()) }
        let verified = try await withThrowingTaskGroup(of: SNPProduct.self) { group in
            for index in 0..<24 {
                let (report, table) = evidence[index % evidence.count]
                group.addTask {
                    try verifier.verify(report: report, certificates: table, at: FakePlatform.now).product
                }
            }
            return try await group.reduce(into: 0) { count, _ in count += 1 }
        }
        #expect(verified == 24)
    }
}

@Suite struct SimulatedAnchorsTests {
    private static let drafts: [(String, CertificateDraft, CertificateDraft)] = {
        var foreign = CertificateDraft.ask()
        foreign.signer = .asvk
        var root = CertificateDraft.ark()
        root.signer = .ask
        var curve = CertificateDraft.ask()
        curve.key = .vcek
        return [
            ("an ASK that the ARK did not sign", .ark(), foreign), ("an ARK that another signed", root, .ask()),
            ("an ASK of another product", .ark(), .ask("Milan")), ("an ASVK in place of the ASK", .ark(), .asvk()),
            ("an ARK of no product", .ark("Rome"), .ask("Rome")), ("an ASK on an elliptic curve", .ark(), curve),
        ]
    }()

    @Test func `anchors that do not fit together are not added`() {
        for (name, ark, ask) in Self.drafts {
            #expect(throws: EvidenceError.self, "\(name)") {
                try TrustAnchors.amd.addingSimulated(ark: ark.der(), ask: ask.der())
            }
        }
    }

    @Test func `what is no certificate is malformed`() {
        for bytes in [[], Array("-----BEGIN CERTIFICATE-----\n".utf8), [0x30, 0]] as [[UInt8]] {
            #expect(throws: EvidenceError(.malformed)) {
                try TrustAnchors.amd.addingSimulated(ark: bytes, ask: CertificateDraft.ask().der())
            }
        }
    }

    @Test func `they say that they are there`() {
        #expect(anchors.includeSimulated)
        #expect(!TrustAnchors.amd.includeSimulated)
    }
}
