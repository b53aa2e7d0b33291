// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import EvidenceVectors
import FakeKBS
import KBSClient
import NullPin
import PinKit
import SSSPin
import Testing
import TrusteePin

@Suite struct TrusteePinTests {
    private let path = "default/2b5c6a30-8b3f-4f9c-9a53-3f2f5f2f0a11/root"
    private let key = #"{"key_type":"oct","key":"QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"}"#
    private let configuration: JSON = [
        "servers": [["url": "http://127.0.0.1:8080/", "cert": ""], ["url": "https://b.example", "cert": ""]],
        "path": "default/2b5c6a30-8b3f-4f9c-9a53-3f2f5f2f0a11/root",
    ]

    private func kbs(_ content: String? = nil) -> FakeKBS { FakeKBS([path: Array((content ?? key).utf8)]) }

    private func pin(_ kbs: FakeKBS, _ platform: UnsignedPlatform = UnsignedPlatform()) -> TrusteePin {
        let absent = UnsignedPlatform(absence: PinError(.unavailable, detail: "no such TEE"))
        return TrusteePin(
            reporters: [(.tdx, absent), (.snp, platform)], transport: FakeNetwork(["http://127.0.0.1:8080": kbs]))
    }

    private func bind(_ pin: TrusteePin, _ configuration: JSON) throws -> JWE {
        let binding = try Binding(issuedAt: 1_790_000_000, owner: nil, registry: PinRegistry([pin]))
        return try pin.encryptor(for: configuration, in: binding).encrypt(SecretBytes(copyingPublic: [1, 2, 3]))
    }

    private func recover(_ message: JWE, _ pin: TrusteePin) throws(PinError) -> [UInt8] {
        let secret = try pin.decrypt(message, in: Run(registry: PinRegistry([pin]), deadline: .after(seconds: 10)))
        return unsafe secret.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    @Test func `what is bound opens, and its header is that program's`() throws {
        let pin = pin(kbs())
        let message = try bind(pin, configuration)
        #expect(try recover(message, pin) == [1, 2, 3])
        var header = message.header
        #expect(header["alg"] == "dir" && header["enc"] == "A256GCM" && message.encryptedKey.isEmpty)
        var expected = try #require(configuration.object)
        expected["pin"] = "trustee"
        #expect(header["clevis"] == .object(expected))
        header["clevis"] = nil
        #expect(header.names.count == 2)
    }

    @Test func `all messages of one set of servers share a report`() throws {
        let (kbs, platform) = (kbs(), UnsignedPlatform())
        let pin = pin(kbs, platform)
        let message = try bind(pin, configuration)
        var delivered = 0
        pin.decrypt([message, message, message], in: Run(registry: PinRegistry([pin]), deadline: .after(seconds: 10))) {
            _, recovered in
            if case .secret = consume recovered { delivered += 1 }
        }
        #expect(delivered == 3 && platform.reports == 2 && kbs.log.filter { $0.hasPrefix("resource/") }.count == 2)
    }

    @Test func `it is a share as any other`() throws {
        let pin = pin(kbs())
        let registry = PinRegistry([pin, SSSPin(), NullPin()])
        let binding = try Binding(issuedAt: 1_790_000_000, owner: nil, registry: registry)
        let policy: JSON = ["t": 2, "pins": ["trustee": configuration, "null": [:]]]
        let message = try registry.encryptor(named: "sss", for: policy, in: binding)
            .encrypt(SecretBytes(copyingPublic: [7]))
        let secret = try PolicyWalk(registry: registry, deadline: .after(seconds: 10)).recover(message)
        #expect(secret.count == 1)
    }

    @Test(arguments: [
        " ", "{}", #"{"key_type":"oct","key":"too short"}"#,
        #"{"key_type":"oct","key":"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYZ"}"#,
        #"{"key_type":"oct","key":1}"#, #"{"key_type":"oct","key":"QUJDREVGR0hJSktMTU5PUFFSU1RVVldY"#,
    ])
    func `a resource that is no such key opens nothing`(content: String) throws {
        let message = try bind(pin(kbs()), configuration)
        #expect(throws: PinError(.malformed)) { try recover(message, pin(kbs(content))) }
    }

    @Test func `another key opens nothing, and without a TEE nobody is asked`() throws {
        let message = try bind(pin(kbs()), configuration)
        let other = kbs(#"{ "key": "RUJDREVGR0hJSktMTU5PUFFSU1RVVldY", "key_type": "oct" }"#)
        #expect(throws: PinError(.refused)) { try recover(message, pin(other)) }
        let unasked = kbs()
        let nowhere = TrusteePin(
            reporters: [(.snp, UnsignedPlatform(absence: PinError(.unavailable)))], transport: FakeNetwork([:]))
        #expect(throws: PinError(.unavailable)) { try recover(message, nowhere) }
        #expect(unasked.log.isEmpty)
    }

    @Test(
        arguments: [
            [:], ["path": "a/b/c"], ["servers": [], "path": "a/b/c"], ["servers": [["url": "ftp://x"]], "path": "a/b/c"],
            ["servers": [["url": "http://x"]], "path": "a/b"], ["servers": [["url": "http://x"]], "path": "a/../c"],
            ["servers": [["url": "http://x"]], "path": "a/b/c?d"],
            ["servers": [["url": "http://x"]], "path": "a/b/c", "initdata": "{}"],
        ] as [JSON])
    func `a configuration that cannot work is refused before anybody is asked`(configuration: JSON) throws {
        let kbs = kbs()
        #expect(throws: PinError(.malformed)) { try bind(pin(kbs), configuration) }
        #expect(kbs.log.isEmpty)
    }

    @Test func `members of later releases are no hindrance in a header`() throws {
        let pin = pin(kbs())
        var header = try bind(pin, configuration).header
        var clevis = try #require(header["clevis"]?.object)
        clevis["num_retries"] = "infinity"
        header["clevis"] = .object(clevis)
        let key = SecretBytes(copyingPublic: Array("QUJDREVGR0hJSktMTU5PUFFSU1RVVldY".utf8))
        let message = try JWE.encrypt(SecretBytes(copyingPublic: [4]), contentKey: key, header: header)
        #expect(try recover(message, pin) == [4])
    }

    @Test(.enabled(if: Vectors.present, "\(Vectors.missing)")) func `a message of that program opens`() throws {
        let vector = try Vectors.json("kbs/clevis-pin-trustee/example.json")
        let message = try JWE(compact: try #require(vector["jwe_compact"]?.string))
        let pin = pin(kbs(try #require(vector["resource_content"]).compact))
        #expect(String(decoding: try recover(message, pin), as: UTF8.self) == vector["plaintext"]?.string)
        let again = try bind(
            pin, ["servers": try #require(message.header["clevis"]?["servers"]), "path": .string(path)])
        #expect(again.header == message.header)
    }
}
