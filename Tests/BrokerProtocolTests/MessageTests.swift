// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import PinKit
import Testing

@Suite struct MessageTests {
    let fixture: Fixture
    init() throws { fixture = try Fixture() }

    static let evidence: [EvidenceDocument] = [
        .snp(report: [1, 2, 3], certificates: []), .snp(report: [1, 2, 3], certificates: [4]),
        .tdx(quote: [1, 2, 3], eventLog: []), .tdx(quote: [1, 2, 3], eventLog: [4]),
    ]

    private func request(
        _ envelopes: [Envelope], with evidence: EvidenceDocument = MessageTests.evidence[0]
    ) throws -> UnsealRequest {
        UnsealRequest(
            envelopes: envelopes, evidence: evidence, challenge: Challenge(nonce: Array(0..<32)),
            guestKey: fixture.guest.publicKey)
    }

    @Test func `each message reads as it was written`() throws {
        for tee in Platform.allCases {
            #expect(try AuthRequest(body: AuthRequest(tee: tee).body) == AuthRequest(tee: tee))
        }
        let challenge = Challenge(nonce: Array(0..<32))
        #expect(try Challenge(body: challenge.body) == challenge)
        let error = KBSError(.nonceRefused, detail: "older than 60 s")
        #expect(try KBSError(body: error.body) == error)
        for evidence in MessageTests.evidence {
            let request = try request([try fixture.seal(), try fixture.seal()], with: evidence)
            #expect(try UnsealRequest(body: request.body) == request)
        }
        let answer = try Answer.seal(
            SecretBytes(copyingPublic: [1]), to: fixture.guest.publicKey, answering: try fixture.seal())
        let response = UnsealResponse(results: [.answer(answer), .denied(.init(.refused, reason: "vmpl is 2, not 0"))])
        #expect(try UnsealResponse(body: response.body) == response)
    }

    @Test func `the wire form of auth is the KBS protocol's`() {
        #expect(
            String(decoding: AuthRequest(tee: .snp).body, as: UTF8.self)
                == #"{"extra-params":{},"tee":"snp","version":"0.4.0"}"#)
    }

    @Test func `the extra parameters of other KBS clients are accepted`() throws {
        let body = #"{"version":"0.4.0","tee":"snp","extra-params":{"supported-hash-algorithms":["sha384"]}}"#
        #expect(try AuthRequest(body: Array(body.utf8)).tee == .snp)
    }

    @Test(arguments: [
        (#"{"version":"0.3.0","tee":"snp"}"#, "version"), (#"{"version":"0.4.0","tee":"sample"}"#, "tee"),
        (#"{"version":"0.4.0"}"#, "tee"), (#"{"version":"0.4.0","tee":"snp","x":1}"#, "x"), ("[]", "object"),
        (#"{"version":"0.4.0","#, "line 1"),
    ])
    func `an auth request of another form is an error that names the member`(body: String, place: String) {
        let error = #expect(throws: JSONError.self) { try AuthRequest(body: Array(body.utf8)) }
        #expect(error?.description.contains(place) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: ["", "AAAA", "not base64", String(repeating: "A", count: 88)])
    func `a nonce that is not 32 bytes is an error`(nonce: String) {
        #expect(throws: JSONError.self) { try Challenge(JSON.object(["nonce": .string(nonce), "extra-params": ""])) }
    }

    @Test func `a body over the limit is an error`() {
        let body = [UInt8](repeating: UInt8(ascii: " "), count: UnsealRequest.maximumLength + 1)
        let error = #expect(throws: JSONError.self) { try UnsealRequest(body: body) }
        #expect(error?.problem.contains("more than") == true)
    }

    @Test func `the largest request of 64 envelopes is within the limit`() throws {
        let zeros = { (count: Int) in [UInt8](repeating: 0, count: count) }
        let largest: [EvidenceDocument] = [
            .snp(
                report: zeros(EvidenceDocument.maximumReport), certificates: zeros(EvidenceDocument.maximumCertificates)),
            .tdx(quote: zeros(EvidenceDocument.maximumReport), eventLog: zeros(EvidenceDocument.maximumEventLog)),
        ]
        let longest = UnsealRequest.maximumEnvelopes * (Envelope.maximumLength + 3)
        for evidence in largest {
            #expect(try request([], with: evidence).body.count + longest <= UnsealRequest.maximumLength)
        }
    }

    @Test func `evidence of one TEE is not read as another's`() throws {
        var members = try #require(try request([try fixture.seal()]).json.object)
        members["tee"] = "tdx"
        let error = #expect(throws: JSONError.self) { try UnsealRequest(.object(members)) }
        #expect(error?.place == "evidence.quote")
        members["evidence"] = ["quote": "AAAA", "report": "AAAA"]
        let other = #expect(throws: JSONError.self) { try UnsealRequest(.object(members)) }
        #expect(other?.problem == "unknown member report")
    }

    @Test func `a request cut short anywhere is an error`() throws {
        let body = try request([try fixture.seal()]).body
        for count in 0..<body.count {
            #expect(throws: JSONError.self, "\(count) bytes") { try UnsealRequest(body: Array(body.prefix(count))) }
        }
    }

    @Test(arguments: [0, 3])
    func `a request with any byte changed is an error or another request`(evidence: Int) throws {
        let request = try request([try fixture.seal()], with: MessageTests.evidence[evidence])
        let body = request.body
        for index in body.indices {
            var changed = body
            changed[index] ^= 1
            let read = try? UnsealRequest(body: changed)
            #expect(read != request, "byte \(index)")
        }
    }

    @Test(arguments: [0, 65]) func `no envelope and more than 64 are errors`(count: Int) throws {
        let request = try request([try fixture.seal()])
        var members = try #require(request.json.object)
        members["envelopes"] = .array([JSON](repeating: .string("x"), count: count))
        let error = #expect(throws: JSONError.self) { try UnsealRequest(.object(members)) }
        #expect(error?.place == "envelopes")
    }

    @Test func `a guest key without alg is an error`() throws {
        let request = try request([try fixture.seal()])
        var members = try #require(request.json.object)
        members["runtime-data"] = ["nonce": .string(request.nonce), "tee-pubkey": fixture.guest.publicKey.jwk]
        let error = #expect(throws: JSONError.self) { try UnsealRequest(.object(members)) }
        #expect(error?.place == "runtime-data.tee-pubkey")
    }

    @Test(
        arguments: [
            ("snp", "report", EvidenceDocument.maximumReport), ("snp", "certificates", EvidenceDocument.maximumCertificates),
            ("tdx", "quote", EvidenceDocument.maximumReport), ("tdx", "ccel", EvidenceDocument.maximumEventLog),
        ] as [(JSON, String, Int)])
    func `evidence over a limit is an error`(tee: JSON, member: String, limit: Int) throws {
        var members = try #require(try request([try fixture.seal()]).json.object)
        var evidence: JSONObject = tee == "snp" ? ["report": "AAAA", "certificates": ""] : ["quote": "AAAA"]
        evidence[member] = .string(Base64.encode([UInt8](repeating: 0, count: limit + 1)))
        members["tee"] = tee
        members["evidence"] = .object(evidence)
        let error = #expect(throws: JSONError.self) { try UnsealRequest(.object(members)) }
        #expect(error?.place == "evidence.\(member)")
    }

    @Test(arguments: [
        (#"{"results":[{}]}"#, "results[0].error"), (#"{"results":[{"jwe":"a.b"}]}"#, "results[0].jwe"),
        (#"{"results":[{"error":{"code":"maybe","reason":"x"}}]}"#, "results[0].error.code"),
        (#"{"results":[{"error":{"code":"refused"}}]}"#, "results[0].error.reason"), (#"{"results":{}}"#, "results"),
    ])
    func `a response of another form is an error that names the member`(body: String, place: String) {
        let error = #expect(throws: JSONError.self) { try UnsealResponse(body: Array(body.utf8)) }
        #expect(error?.place == place)
    }

    @Test func `the broker's own trouble is unavailable to the guest`() {
        #expect(UnsealResponse.Denial(.failed, reason: "disk full").code == .unavailable)
    }

    @Test func `a peer's words cannot break a line or colour a terminal`() throws {
        let body = #"{"results":[{"error":{"code":"refused","reason":"a\nb\u001b[31m"}}]}"#
        let response = try UnsealResponse(body: Array(body.utf8))
        #expect(response.results == [.denied(.init(.refused, reason: "a?b?[31m"))])
    }

    @Test func `an error of another server with more members is read`() throws {
        let body = #"{"type":"https://github.com/confidential-containers/kbs/errors/PolicyDeny","detail":"no","status":1}"#
        #expect(try KBSError(body: Array(body.utf8)).name == "PolicyDeny")
    }

    @Test func `report data changes with each of its inputs`() throws {
        let envelopes = [[UInt8](repeating: 1, count: 32), [UInt8](repeating: 2, count: 32)]
        func digest(
            broker: String = "b", envelopes: [[UInt8]] = envelopes, nonce: String = "n", tee: Platform = .snp,
            key: AgreementKey? = nil
        ) -> [UInt8] {
            ReportData.digest(
                broker: broker, envelopes: envelopes, nonce: nonce, tee: tee, guestKey: (key ?? fixture.guest).publicKey)
        }
        let digests = [
            digest(), digest(broker: "c"), digest(tee: .tdx), digest(nonce: "m"), digest(key: fixture.broker),
            digest(envelopes: envelopes.reversed()), digest(envelopes: [envelopes[0]]),
        ]
        #expect(Set(digests).count == digests.count)
        #expect(digest().count == 64)
    }

    @Test(arguments: [
        "https://", "https:///x", "https://h/", "https://u@h", "https://h?q", "https://h#f", "https://h h", "h", "file:///x",
        "https://h\n", "https://:1",
    ])
    func `an address with more than host, port and path is an error`(text: String) {
        #expect(throws: JSONError.self) { try BrokerURL(text) }
    }

    @Test func `endpoints stand below the address`() throws {
        #expect(try BrokerURL("https://[::1]:8443/a").endpoint("auth") == "https://[::1]:8443/a/kbs/v0/auth")
    }
}
