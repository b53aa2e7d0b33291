// SPDX-License-Identifier: Apache-2.0
import Attestation
import Broker
import BrokerProtocol
import EvidenceVectors
import PinKit
import Testing

/// The messages of clients in the field, byte for byte (`kbs` among the vectors).
@Suite(.enabled(if: Vectors.present, "\(Vectors.missing)"))
struct KBSVectorTests {
    struct Message: Sendable, CustomTestStringConvertible {
        let path: String
        let version: KBSVersion
        var testDescription: String { "\(path), \(version.rawValue)" }
    }

    static let simulated = [
        Message(path: "rcar-0.4.0/3-attest-request-sim-snp.json", version: .v0_4_0),
        Message(path: "rcar-0.4.0/3-attest-request-sim-snp-sev6.2-struct.json", version: .v0_4_0),
        Message(path: "rcar-legacy/3-attest-0.1.1-0.2.0-sim-snp-sev4-struct.json", version: .v0_2_0),
        Message(path: "rcar-legacy/3-attest-0.1.1-0.2.0-sim-snp-sev4-struct.json", version: .v0_1_1),
    ]
    /// Within the validity of every certificate in them.
    private let moment: Int64 = 1_790_000_000

    private func request(_ message: Message, tee: Platform = .snp) throws -> AttestRequest {
        try AttestRequest(body: Vectors.read("kbs/\(message.path)"), version: message.version, tee: tee)
    }

    private func nonce() throws -> String { try Challenge(body: Vectors.read("kbs/rcar-0.4.0/2-challenge.json")).nonce }

    private func check(trustingSimulator trusts: Bool = true) throws -> EvidenceCheck {
        let anchors =
            trusts
            ? try TrustAnchors.amd.addingSimulated(
                ark: Vectors.read("kbs/sim-snp/ark.der"), ask: Vectors.read("kbs/sim-snp/ask.der")) : .amd
        return try EvidenceCheck(snp: SNPVerifier(anchors: anchors), tdx: TDXVerifier(anchors: .intel, collateral: []))
    }

    @Test(arguments: ["rcar-0.4.0/1-auth-request", "rcar-legacy/1-auth-request-0.1.1", "rcar-legacy/1-auth-request-0.2.0"])
    func `a client's first message is understood`(path: String) throws {
        let request = try AuthRequest(body: Vectors.read("kbs/\(path).json"))
        #expect(request.tee == .snp)
        #expect(path.hasSuffix(request.version.rawValue) || request.version == .v0_4_0)
    }

    @Test(arguments: simulated)
    func `evidence in every layout is accepted below its root and refused without`(message: Message) throws {
        let request = try request(message)
        let expected = try request.reportData(nonce: nonce())
        let evidence = try check().verify(request.evidence, for: expected, at: moment)
        #expect(evidence.isSimulated)
        if let initData = request.initData { #expect(initData.matches(evidence.initData)) }
        let refusal = #expect(throws: EvidenceCheck.Refusal.self) {
            try check(trustingSimulator: false).verify(request.evidence, for: expected, at: moment)
        }
        #expect(refusal?.reason.hasPrefix("the evidence is not genuine") == true)
    }

    @Test func `init-data comes with 0.4.0 and is HOST_DATA`() throws {
        #expect(try request(Self.simulated[0]).initData != nil)
    }

    @Test func `genuine evidence for another nonce is refused for its report data`() throws {
        let request = try request(
            Message(path: "rcar-0.4.0/3-attest-request-real-snp-wrong-nonce.json", version: .v0_4_0))
        let nonce = try request.nonce.orThrow("a nonce")
        let refusal = #expect(throws: EvidenceCheck.Refusal.self) {
            try check().verify(request.evidence, for: request.reportData(nonce: nonce), at: moment)
        }
        #expect(refusal?.reason.hasPrefix("the evidence was made for another request") == true)
    }

    @Test func `a TDX message is read, and its quote names another nonce`() throws {
        let request = try request(
            Message(path: "rcar-0.4.0/3-attest-request-real-tdx-wrong-nonce.json", version: .v0_4_0), tee: .tdx)
        guard case .tdx(let quote, let log) = request.evidence else { throw Missing(what: "a quote") }
        #expect(quote.count == 5006 && log.isEmpty)
        // REPORTDATA ends the body, 584 bytes behind a header of 48.
        let nonce = try request.nonce.orThrow("a nonce")
        #expect(Array(quote[48 + 520..<48 + 584]) != request.reportData(nonce: nonce))
    }

    @Test func `a message does not pass as one of another version`() {
        for message in Self.simulated {
            let other: KBSVersion = message.version == .v0_4_0 ? .v0_2_0 : .v0_4_0
            #expect(throws: JSONError.self) { try request(Message(path: message.path, version: other)) }
        }
    }

    @Test func `Azure's evidence is no report of the guest's own`() throws {
        let evidence = try Vectors.json("kbs/azure-vtpm/snp-v2-milan.json")
        let key = try (Vectors.json("kbs/\(Self.simulated[0].path)")["runtime-data"]).orThrow("runtime-data")
        let message: JSON = [
            "init-data": .null, "runtime-data": key,
            "tee-evidence": ["primary_evidence": evidence, "additional_evidence": ""],
        ]
        let error = #expect(throws: JSONError.self) {
            try AttestRequest(body: Array(message.canonical.utf8), version: .v0_4_0, tee: .snp)
        }
        #expect(error?.problem.contains("virtual TPM") == true)
    }

    @Test(arguments: ["ecdh-es-a256kw-p256", "reordered-header-rfc-valid"])
    func `our client opens answers with members in any order`(name: String) throws {
        let vector = try Vectors.json("kbs/jwe/\(name).json")
        let key = try AgreementKey(
            jwk: SecretBytes(copyingPublic: Array((vector["tee_private_jwk"] ?? .null).canonical.utf8)))
        let content = try JWE(flattened: vector["response"] ?? .null).open(with: key)
        let bytes = unsafe content.withUnsafeBytes { unsafe Hex.encode([UInt8]($0)) }
        #expect(bytes == vector["payload_hex"]?.string)
    }
}
