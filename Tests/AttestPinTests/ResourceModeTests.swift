// SPDX-License-Identifier: Apache-2.0
import AttestPin
import BrokerProtocol
import FakeKBS
import FileIO
import Glibc
import KBSClient
import PinKit
import Testing

@Suite struct ResourceModeTests {
    private let path = "default/disk/root"
    private let resource = [UInt8](0..<32)
    private let usual: JSON = ["mode": "kbs", "url": "https://kbs.example", "resource": "default/disk/root"]

    private func pin(_ kbs: FakeKBS, _ platform: UnsignedPlatform = UnsignedPlatform()) -> AttestPin {
        AttestPin(.snp, reporter: platform, transport: FakeNetwork(["https://kbs.example": kbs]))
    }

    private func bind(_ configuration: JSON, _ pin: AttestPin, secret: [UInt8] = [1, 2, 3]) throws -> JWE {
        let binding = try Binding(issuedAt: 1_790_000_000, owner: nil, registry: PinRegistry([pin]))
        return try pin.encryptor(for: configuration, in: binding).encrypt(SecretBytes(copyingPublic: secret))
    }

    /// `usual` with a file that holds `content`, which is gone when `body` ends.
    private func withFile<R>(_ content: [UInt8], _ body: (JSON) throws -> R) throws -> R {
        let name = "/tmp/cvm-clevis-resource-\(Hex.encode(try Random.bytes(8)))"
        defer { unsafe unlink(name) }
        try FileIO.create(name, content)
        var configuration = usual.object ?? [:]
        configuration["file"] = .string(name)
        return try body(.object(configuration))
    }

    @Test func `who has the resource binds without a TEE, and the guest opens with what the server gives`() throws {
        let nowhere = pin(FakeKBS([:]), UnsignedPlatform(absence: PinError(.unavailable)))
        let message = try withFile(resource) { try bind($0, nowhere) }
        var parameters = try #require(message.parameters?.object)
        parameters["salt"] = nil
        #expect(JSON.object(parameters) == usual && message.header["alg"] == "dir")
        let platform = UnsignedPlatform()
        let opened = Settled.all([message], by: pin(FakeKBS([path: resource]), platform))
        #expect(opened[0].secret == [1, 2, 3] && platform.reports == 1)
    }

    @Test func `a guest binds with what the server gives`() throws {
        let pin = pin(FakeKBS([path: resource]))
        let message = try bind(usual, pin)
        #expect(Settled.all([message], by: pin)[0].secret == [1, 2, 3])
        let missing = #expect(throws: PinError(.unavailable)) {
            try bind(usual, self.pin(FakeKBS([:]), UnsignedPlatform(absence: PinError(.unavailable, detail: "none here"))))
        }
        #expect(missing?.detail == #"none here; outside of the guest say what the resource holds: "file":"PATH""#)
    }

    @Test func `all messages of a run that ask one server share a report`() throws {
        let other = "default/disk/data"
        let (kbs, platform) = (FakeKBS([path: resource, other: [UInt8](repeating: 9, count: 40)]), UnsignedPlatform())
        let pin = pin(kbs, platform)
        let (first, second) = (try bind(usual, pin), try bind(usual, pin, secret: [4]))
        let third = try bind(["mode": "kbs", "url": "https://kbs.example", "resource": .string(other)], pin, secret: [5])
        let before = platform.reports
        let opened = Settled.all([first, third, second], by: pin)
        #expect(opened.map(\.secret) == [[1, 2, 3], [5], [4]])
        #expect(platform.reports == before + 1)
        #expect(kbs.log.suffix(4) == ["auth", "attest", "resource/\(path)", "resource/\(other)"])
    }

    @Test func `messages of the other modes beside it each go their way`() throws {
        let owner = try SigningKey.generate()
        let site = try Site(owner, FakePlatform())
        let sealed = try site.bind([8])
        let pin = pin(FakeKBS([path: resource]))
        let opened = Settled.all([sealed, try bind(usual, pin)], by: pin)
        #expect(opened[0].error == PinError(.unavailable), "its broker is not in this network")
        #expect(opened[1].secret == [1, 2, 3])
    }

    @Test func `another resource, a changed header and another pin open nothing`() throws {
        let pin = pin(FakeKBS([path: resource]))
        let message = try bind(usual, pin)
        let other = self.pin(FakeKBS([path: [UInt8](repeating: 1, count: 32)]))
        #expect(Settled.all([message], by: other)[0].error == PinError(.refused))
        let changes: [(String, JSON?)] = [
            ("resource", "default/disk/other"), ("salt", "AAAAAAAAAAAAAAAAAAAAAA"), ("salt", nil), ("version", "0.4.0"),
            ("version", "0.3.0"), ("tls", .string(Base64URL.encode([UInt8](repeating: 0, count: 32)))), ("url", nil),
            ("more", 1), ("resource", "../x/y"),
        ]
        for (name, value) in changes {
            var parameters = try #require(message.parameters?.object)
            parameters[name] = value
            var header = message.header
            header["clevis"] = ["pin": "snp-attest", "snp-attest": .object(parameters)]
            let text = Base64URL.encode(Array(JSON.object(header).canonical.utf8))
            let rest = message.compact.split(separator: ".", omittingEmptySubsequences: false).dropFirst()
            let changed = try JWE(compact: ([text] + rest.map(String.init)).joined(separator: "."))
            let kbs = FakeKBS([path: resource, "default/disk/other": resource])
            #expect(Settled.all([changed], by: self.pin(kbs))[0].error != nil, "\(name)")
        }
    }

    @Test func `a resource that is too short for a key is refused on both sides`() throws {
        let short = [UInt8](repeating: 7, count: 31)
        #expect(throws: PinError(.refused)) { try withFile(short) { try bind($0, pin(FakeKBS([:]))) } }
        let message = try withFile(resource) { try bind($0, pin(FakeKBS([:]))) }
        #expect(Settled.all([message], by: pin(FakeKBS([path: short])))[0].error == PinError(.refused))
    }

    @Test func `members that defaults bring in for the other mode are left aside, others are errors`() throws {
        let pin = pin(FakeKBS([path: resource]))
        var configuration = try #require(usual.object)
        configuration["broker"] = [:]
        configuration["policy"] = [:]
        configuration["tls"] = .null
        #expect(try bind(.object(configuration), pin).parameters?["tls"] == nil)
        let wrong: [(String, JSON?)] = [
            ("url", nil), ("url", "kbs.example"), ("resource", nil), ("resource", "root"), ("resource", "a/b/c/d"),
            ("tls", "AA"), ("version", "0.1.0"), ("version", 1), ("file", 1), ("salt", "AAAAAAAAAAAAAAAAAAAAAA"),
        ]
        for (name, value) in wrong {
            var configuration = try #require(usual.object)
            configuration[name] = value
            #expect(throws: PinError(.malformed), "\(name)") { try bind(.object(configuration), pin) }
        }
    }

    /// docs/spec/pins.md §9, made by another implementation.
    @Test func `the specification's message opens`() throws {
        let message = try JWE(
            compact: """
                eyJhbGciOiJkaXIiLCJjbGV2aXMiOnsicGluIjoic25wLWF0dGVzdCIsInNucC1hdHRlc3QiOnsibW9kZSI6ImticyIsInJlc291cmNlIjoiZGVmYXVsdC9kaXNrL3Jvb3QiLCJzYWx0IjoiQUFFQ0F3UUZCZ2NJQ1FvTERBME9EdyIsInVybCI6Imh0dHBzOi8va2JzLmV4YW1wbGUifX0sImVuYyI6IkEyNTZHQ00ifQ\
                ..AAAAAAAAAAAAAAAA.g4T5vTA2_Nk.l2p7VjAA1pBlyrEUoh4QYQ
                """)
        let opened = Settled.all([message], by: pin(FakeKBS([path: resource])))
        #expect(opened[0].secret == Array("a secret".utf8))
    }

    @Test func `TDX guests have the mode too`() throws {
        let pin = AttestPin(.tdx, reporter: UnsignedPlatform(), transport: FakeNetwork([:]))
        let message = try withFile(resource) { try bind($0, pin) }
        #expect(message.pin == "tdx-attest" && message.parameters?["mode"] == "kbs")
        let snp = Settled.all([message], by: self.pin(FakeKBS([path: resource])))
        #expect(snp[0].error == PinError(.malformed))
    }
}
