// SPDX-License-Identifier: Apache-2.0
import Attestation
import EvidenceVectors
import PinKit
import TEE
import Testing

/// A real report, the certificate of its key, and the day at which both are good.
private struct Real: Sendable, CustomTestStringConvertible {
    let folder: String
    let product: SNPProduct
    let day: Int64
    /// Members that a policy needs beside the measurement.
    var policy: JSONObject = [:]

    var testDescription: String { folder }
    var signingKey: SNPSigningKey { folder.contains("vlek") ? .vlek : .vcek }

    func report() throws -> [UInt8] { try Vectors.read("snp/\(folder)/report.bin") }

    func certificate() throws -> [UInt8] { try Vectors.read("snp/\(folder)/\(signingKey.name.lowercased()).der") }

    func table() throws -> [UInt8] {
        let kind: SNPCertificateTable.Kind = signingKey == .vcek ? .vcek : .vlek
        return SNPCertificateTable(entries: [.init(kind: kind, bytes: try certificate())]).encoded
    }

    func genuine() throws -> GenuineSNP {
        try SNPVerifier(anchors: .amd).verify(report: report(), certificates: table(), at: day)
    }

    func policy(_ changes: JSONObject = [:]) throws -> SNPPolicy {
        var members: JSONObject = ["covers": ["firmware"]]
        members["measurement"] = [.string(Base64URL.encode(try SNPReport(parsing: report()).measurement))]
        for member in policy.members + changes.members { members[member.name] = member.value }
        return try SNPPolicy(json: .object(members))
    }

    static let june2025: Int64 = 1_748_736_000
    static let july2026: Int64 = 1_782_864_000

    static let all = [
        Real(folder: "milan-v2-vcek-a", product: .milan, day: june2025),
        Real(folder: "milan-v2-vcek-gcp", product: .milan, day: june2025, policy: ["debug": true]),
        Real(folder: "milan-v3-vlek-aws", product: .milan, day: june2025, policy: ["vmpl": 1]),
        Real(folder: "genoa-v3-vcek-azure", product: .genoa, day: july2026),
        Real(folder: "genoa-v5-vcek", product: .genoa, day: july2026, policy: ["mitigations": 11]),
        Real(folder: "turin-v5-vcek-alibaba", product: .turin, day: july2026, policy: ["mitigations": 63]),
    ]
    static let debug = all[1]
    static let vlek = all[2]
    static let turin = all[5]
}

@Suite(.enabled(if: Vectors.present, "\(Vectors.missing)")) struct RealEvidenceTests {
    @Test func `every folder of evidence is tested here`() {
        #expect(Real.all.map(\.folder) == Vectors.evidence)
    }

    @Test(arguments: Real.all)
    private func `real evidence is genuine and what its policy wants`(real: Real) throws {
        let genuine = try real.genuine()
        #expect(genuine.product == real.product && genuine.signingKey == real.signingKey && !genuine.isSimulated)
        #expect(genuine.certificateDigest == Digest.sha256(try real.certificate()))
        let verdict = try real.policy().judge(genuine)
        #expect(verdict.accepted, "\(verdict.reason)")
    }

    @Test(arguments: Real.all)
    private func `each tampered byte of a real report is refused`(real: Real) throws {
        let report = try real.report()
        let table = try real.table()
        let verifier = SNPVerifier(anchors: .amd)
        #expect(throws: Never.self) { try verifier.verify(report: report, certificates: table, at: real.day) }
        for index in report.indices {
            var tampered = report
            tampered[index] ^= UInt8(1 << (index % 8))
            #expect(throws: EvidenceError.self, "byte \(index)") {
                try verifier.verify(report: tampered, certificates: table, at: real.day)
            }
        }
    }

    @Test(arguments: [Real.vlek, .turin])
    private func `each tampered byte of a real certificate is refused`(real: Real) throws {
        let report = try real.report()
        let table = try real.table()
        for index in table.indices {
            var tampered = table
            tampered[index] ^= UInt8(1 << (index % 8))
            #expect(throws: EvidenceError.self, "byte \(index)") {
                try SNPVerifier(anchors: .amd).verify(report: report, certificates: tampered, at: real.day)
            }
        }
    }

    @Test func `a guest that may be debugged is refused unless the policy says so`() throws {
        let genuine = try Real.debug.genuine()
        let verdict = try Real.debug.policy(["debug": false]).judge(genuine)
        #expect(!verdict.accepted)
        #expect(verdict.reason == "debug is on, not off")
    }

    @Test func `AWS' guest needs a policy for VMPL 1, and a day before its VLEK expires`() throws {
        let genuine = try Real.vlek.genuine()
        #expect(genuine.provider == "CN=cc-us-east-2.amazonaws.com")
        #expect(try Real.vlek.policy(["vmpl": 0]).judge(genuine).reason == "vmpl is 1, not 0")
        let expired = #expect(throws: EvidenceError(.refused)) {
            try SNPVerifier(anchors: .amd).verify(
                report: Real.vlek.report(), certificates: Real.vlek.table(), at: Real.july2026)
        }
        #expect(expired?.detail.hasPrefix("SEV-VLEK has expired") == true)
    }

    @Test(arguments: Real.all)
    private func `a certificate of another chip or TCB is refused`(real: Real) throws {
        for other in Real.all where other.folder != real.folder && other.signingKey == real.signingKey {
            #expect(throws: EvidenceError(.refused), "\(other.folder)") {
                try SNPVerifier(anchors: .amd).verify(report: real.report(), certificates: other.table(), at: Real.july2026)
            }
        }
    }

    @Test func `a VCEK that AMD did not sign is nobody's`() throws {
        let der = try Vectors.read("snp/negative/test-vcek-invalid-new.der")
        let certificate = try Certificate(der: der)
        for chain in TrustAnchors.amd.chains {
            #expect(try !certificate.isSigned(by: chain.issuer), "\(chain.issuer.name)")
            #expect(try !certificate.isSigned(by: chain.root), "\(chain.root.name)")
        }
        let table = SNPCertificateTable(entries: [.init(kind: .vcek, bytes: der)]).encoded
        let error = #expect(throws: EvidenceError(.refused)) {
            try SNPVerifier(anchors: .amd).verify(report: Real.all[0].report(), certificates: table, at: Real.june2025)
        }
        #expect(error?.detail == "not signed by the SEV-Milan that is trusted here")
    }

    @Test func `a real VCEK is signed by the key of its product and kind only`() throws {
        let der = try Vectors.read("snp/ca/turin/vcek_turin_without_report.der")
        let certificate = try Certificate(der: der)
        for chain in TrustAnchors.amd.chains {
            let isIts = chain.product == .turin && chain.signingKey == .vcek
            #expect(try certificate.isSigned(by: chain.issuer) == isIts, "\(chain.issuer.name)")
        }
    }

    @Test(arguments: [SNPProduct.milan, .genoa, .turin])
    func `the figures are those of AMD's certificates, which chain to the root`(product: SNPProduct) throws {
        for chain in TrustAnchors.amd.chains where chain.product == product {
            let folder = "snp/ca/\(product.rawValue)"
            let file = chain.signingKey == .vcek ? "ask" : "asvk"
            let root = try Certificate(der: try Vectors.read("\(folder)/ark.der"))
            let issuer = try Certificate(pemOrDER: try Vectors.read("\(folder)/\(file).pem"))
            #expect(try Authority(root) == chain.root)
            #expect(try Authority(issuer) == chain.issuer)
            #expect(try root.isSigned(by: chain.root) && issuer.isSigned(by: chain.root))
            #expect(try !root.isSigned(by: chain.issuer))
        }
    }

    @Test func `another program's simulated evidence is genuine below its own root, and marked`() throws {
        let report = try Vectors.read("kbs/sim-snp/report.bin")
        let certificate = try Vectors.read("kbs/sim-snp/vcek.der")
        let table = SNPCertificateTable(entries: [.init(kind: .vcek, bytes: certificate)]).encoded
        let anchors = try TrustAnchors.amd.addingSimulated(
            ark: try Vectors.read("kbs/sim-snp/ark.der"), ask: try Vectors.read("kbs/sim-snp/ask.der"))
        #expect(anchors.includeSimulated && !TrustAnchors.amd.includeSimulated)
        let genuine = try SNPVerifier(anchors: anchors).verify(report: report, certificates: table, at: Real.june2025)
        #expect(genuine.isSimulated && genuine.product == .genoa)
        #expect(throws: EvidenceError(.refused)) {
            try SNPVerifier(anchors: .amd).verify(report: report, certificates: table, at: Real.june2025)
        }
    }
}

@Suite struct AMDFiguresTests {
    @Test(arguments: [
        ("ARK-Milan", "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd"),
        ("ARK-Genoa", "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1"),
        ("ARK-Turin", "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a"),
    ])
    func `the roots have the fingerprints that are published`(name: String, fingerprint: String) throws {
        let root = try #require(TrustAnchors.amd.chains.first { $0.root.name == name }?.root)
        #expect(Hex.encode(root.fingerprint) == fingerprint)
    }

    @Test func `each product has a chain of each kind, under names of its own`() {
        let names = TrustAnchors.amd.chains.map { "\($0.root.name) \($0.issuer.name)" }
        #expect(
            names == [
                "ARK-Milan SEV-Milan", "ARK-Milan SEV-VLEK-Milan", "ARK-Genoa SEV-Genoa", "ARK-Genoa SEV-VLEK-Genoa",
                "ARK-Turin SEV-Turin", "ARK-Turin SEV-VLEK-Turin",
            ])
    }
}
