// SPDX-License-Identifier: Apache-2.0
import Attestation
import BrokerProtocol
import EvidenceVectors
import FakeKBS
import KBSClient
import PinKit
import TEE
import Testing

@Suite struct AttestMessageTests {
    private let key: JSON = ["alg": "ECDH-ES+A256KW", "crv": "P-256", "kty": "EC", "x": "eA", "y": "eQ"]
    private let challenge = Array(#"{"nonce":"AIe+5LomKFR1qUaTtYDBzieoAowT3Le1r3s2pT1DUKw=","extra-params":""}"#.utf8)

    private func message(_ version: KBSVersion) throws -> AttestMessage {
        try AttestMessage(challenge, for: key, of: version)
    }

    private let certificates = SNPCertificateTable(entries: [
        .init(kind: .vcek, bytes: [0x30, 1, 255]), .init(kind: .ask, bytes: [0x30, 2]), .init(kind: .ark, bytes: [0x30, 3]),
    ])

    @Test(arguments: KBSVersion.allCases, [(2, 0), (3, 0x19), (3, 0x1A), (5, 0x1A), (5, 0x19)] as [(UInt8, UInt8)])
    func `a server gets back the bytes that were signed`(version: KBSVersion, report: (UInt8, UInt8)) throws {
        let sent = UnsignedPlatform.sample(version: report.0, family: report.1)
        let message = try message(version)
        let body = try #require(message.body(.snp(report: sent, certificates: certificates.encoded)))
        let file = try EvidenceFile(parsing: body)
        guard case .snp(let received, let table) = file.evidence else { throw PinError(.failed) }
        #expect(received == sent)
        #expect(Set(table.entries.map(\.kind)) == Set(certificates.entries.map(\.kind)))
        #expect(table[.vcek] == [0x30, 1, 255])
        #expect(file.format.hasSuffix("(layout \(version == .v0_4_0 ? "C" : "A"))"))
        #expect(message.reportData == file.request?.reportData(nonce: "AIe+5LomKFR1qUaTtYDBzieoAowT3Le1r3s2pT1DUKw="))
    }

    @Test(arguments: KBSVersion.allCases) func `a quote goes with its event log, or without`(version: KBSVersion) throws {
        for log in [[], [1, 2, 3]] as [[UInt8]] {
            let quote: [UInt8] = [4, 0, 2, 0, 0x81, 0, 0, 0] + [UInt8](repeating: 9, count: 700)
            let body = try #require(message(version).body(.tdx(quote: quote, eventLog: log)))
            #expect(try EvidenceFile(parsing: body).evidence == .tdx(quote: quote, eventLog: log))
        }
    }

    @Test func `a platform without certificates sends none, and one without a report nothing`() throws {
        let report = UnsignedPlatform.sample(version: 3)
        let body = try #require(try message(.v0_4_0).body(.snp(report: report, certificates: [])))
        let evidence = try JSON(parsing: body)["tee-evidence"]?["primary_evidence"]
        #expect(evidence?["cert_chain"] == .null)
        for (report, certificates) in [
            (Array(report.dropLast()), []), ([], []), (report, [1, 2, 3]),
            (report[..<0x0F] + [0x80] + report[0x10...], []),
        ] as [([UInt8], [UInt8])] {
            #expect(try message(.v0_4_0).body(.snp(report: report, certificates: certificates)) == nil)
        }
    }

    @Test func `the hash is the one that the server selects of those it was offered`() throws {
        func data(_ hash: String) throws -> [UInt8]? {
            let challenge: JSON = [
                "nonce": "AIe+5LomKFR1qUaTtYDBzieoAowT3Le1r3s2pT1DUKw=",
                "extra-params": ["selected-hash-algorithm": .string(hash)],
            ]
            return try AttestMessage(Array(challenge.compact.utf8), for: key, of: .v0_4_0).reportData
        }
        let usual = try message(.v0_4_0).reportData
        #expect(try data("sha384") == usual && usual?.count == 64 && usual?.suffix(16).allSatisfy { $0 == 0 } == true)
        let (short, long) = (try data("sha256"), try data("sha512"))
        #expect(short?.count == 64 && short?[31...].dropFirst().allSatisfy { $0 == 0 } == true && short != usual)
        #expect(long?.count == 64 && long != usual)
        #expect(try data("md5") == nil)
    }

    @Test(arguments: ["", "[]", "{}", #"{"nonce":1}"#, #"{"nonce":"!"}"#, #"{"nonce":"AA=="}"#])
    func `what is no challenge is not answered`(text: String) {
        #expect(throws: JSONError.self) { try AttestMessage(Array(text.utf8), for: key, of: .v0_4_0) }
    }
}

/// The messages of clients in the field, byte for byte (`kbs` among the vectors).
@Suite(.enabled(if: Vectors.present, "\(Vectors.missing)"))
struct AttestMessageVectorTests {
    @Test(arguments: [KBSVersion.v0_1_1, .v0_2_0, .v0_4_0]) func `report data is theirs`(version: KBSVersion) throws {
        let entry = try #require(
            Vectors.json("kbs/runtime-data/digests.json").array?.first {
                $0["versions"]?.array?.contains(.string(version.rawValue)) == true && $0["report_data_hex"] != nil
            })
        let challenge: JSON = ["nonce": try #require(entry["nonce"]), "extra-params": ""]
        let message = try AttestMessage(
            Array(challenge.compact.utf8), for: try #require(entry["tee_pubkey"]), of: version)
        #expect(Hex.encode(try #require(message.reportData)) == entry["report_data_hex"]?.string)
    }

    @Test(arguments: [
        ("rcar-0.4.0/3-attest-request-sim-snp.json", KBSVersion.v0_4_0),
        ("rcar-legacy/3-attest-0.1.1-0.2.0-sim-snp-sev4-struct.json", .v0_2_0),
        ("rcar-legacy/3-attest-0.1.1-0.2.0-sim-snp-sev4-struct.json", .v0_1_1),
        ("rcar-0.4.0/3-attest-request-real-tdx-wrong-nonce.json", .v0_4_0),
    ])
    func `their evidence is written as they wrote it`(path: String, version: KBSVersion) throws {
        let theirs = try Vectors.json("kbs/\(path)")
        let runtime = version == .v0_4_0 ? theirs["runtime-data"] : theirs
        let message = try AttestMessage(
            Vectors.read("kbs/rcar-0.4.0/2-challenge.json"), for: try #require(runtime?["tee-pubkey"]), of: version)
        let evidence: EvidenceDocument
        switch try EvidenceFile(parsing: Vectors.read("kbs/\(path)")).evidence {
        case .snp(let report, let table): evidence = .snp(report: report, certificates: table.encoded)
        case .tdx(let quote, let log): evidence = .tdx(quote: quote, eventLog: log)
        }
        let ours = try JSON(parsing: try #require(message.body(evidence)))
        let carried = { (json: JSON) in
            version == .v0_4_0 ? json["tee-evidence"]?["primary_evidence"] : json["tee-evidence"]
        }
        #expect(carried(ours)?["attestation_report"] == carried(theirs)?["attestation_report"])
        #expect(carried(ours)?["quote"] == carried(theirs)?["quote"])
        #expect(ours["tee-evidence"]?["additional_evidence"] == theirs["tee-evidence"]?["additional_evidence"])
        #expect((version == .v0_4_0 ? ours["runtime-data"] : ours)?["tee-pubkey"] == runtime?["tee-pubkey"])
        #expect(Set(ours.object?.names ?? []) == Set(theirs.object?.names ?? []))
    }
}
