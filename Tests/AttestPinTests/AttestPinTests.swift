// SPDX-License-Identifier: Apache-2.0
import AttestPin
import BrokerProtocol
import NullPin
import PinKit
import SSSPin
import Testing

@Suite struct AttestPinTests {
    let owner: SigningKey
    let platform: FakePlatform

    init() throws {
        owner = try .generate()
        platform = try FakePlatform()
    }

    /// Firmware, kernel and initrd of one image. The full `covers` is left out of it and of the other, as whoever binds does.
    private static let tdxPolicy: JSON = [
        "mrtd": [.string(Base64URL.encode([UInt8](repeating: 7, count: 48)))],
        "rtmr1": [.string(Base64URL.encode([UInt8](repeating: 8, count: 48)))],
        "rtmr2": [.string(Base64URL.encode([UInt8](repeating: 9, count: 48)))],
    ]

    // MARK: - Recovering

    @Test func `three envelopes are served by one report and two requests`() throws {
        let site = try Site(owner, platform)
        let messages = try (0..<3).map { try site.bind([UInt8]($0...($0 + 31))) }
        let results = site.recover(messages)
        #expect(results.map(\.secret) == (0..<3).map { [UInt8]($0...($0 + 31)) })
        #expect(platform.reports == 1)
        #expect(site.broker.log == ["https://b.example.org/kbs/v0/auth", "https://b.example.org/kbs/v0/unseal"])
    }

    @Test func `pins below a threshold and beside it share the exchange`() throws {
        let site = try Site(owner, platform)
        let registry = PinRegistry([site.pin, SSSPin(), NullPin()])
        let binding = try Binding(
            issuedAt: 1_790_000_000, owner: owner, registry: registry, defaults: ["snp-attest": site.configuration])
        let policy: JSON = ["t": 2, "pins": ["snp-attest": [[:], [:]]]]
        let nested = try registry.encryptor(named: "sss", for: policy, in: binding)
            .encrypt(SecretBytes(copyingPublic: Array("nested".utf8)))
        let single = try registry.encryptor(named: "snp-attest", for: [:], in: binding)
            .encrypt(SecretBytes(copyingPublic: Array("single".utf8)))
        var secrets = [[UInt8]](repeating: [], count: 2)
        PolicyWalk(registry: registry, deadline: .after(seconds: 10)).recover([nested, single]) { index, recovered in
            secrets[index] = Settled(recovered).secret ?? []
            return .proceed
        }
        #expect(secrets == [Array("nested".utf8), Array("single".utf8)])
        #expect(platform.reports == 1)
    }

    @Test(arguments: Platform.allCases)
    func `a share for one of two TEEs is recovered on either, with one report`(here: Platform) throws {
        let present = try FakePlatform(here)
        let absent = try FakePlatform(here == .snp ? .tdx : .snp, absence: PinError(.unavailable, detail: "another TEE"))
        let site = try Site(owner, present)
        let elsewhere = try Site(owner, absent, like: site)
        let registry = PinRegistry([site.pin, elsewhere.pin, SSSPin()])
        let binding = try Binding(
            issuedAt: 1_790_000_000, owner: owner, registry: registry,
            defaults: ["snp-attest": site.configuration, "tdx-attest": site.configuration])
        let policy: JSON = ["t": 1, "pins": ["snp-attest": [:], "tdx-attest": [:]]]
        let message = try registry.encryptor(named: "sss", for: policy, in: binding)
            .encrypt(SecretBytes(copyingPublic: [1, 2, 3]))
        let secret = try PolicyWalk(registry: registry, deadline: .after(seconds: 10)).recover(message)
        #expect(unsafe secret.withUnsafeBytes { unsafe [UInt8]($0) } == [1, 2, 3])
        #expect(present.reports == 1 && absent.reports == 0)
        #expect(site.broker.log.count == 2)
    }

    @Test func `a message of the other TEE's pin is not taken for one of ours`() throws {
        let site = try Site(owner, platform)
        let foreign = try Site(owner, try FakePlatform(.tdx), like: site)
        let results = site.recover([try foreign.bind([1]), try site.bind([2])])
        #expect(results[0].error == PinError(.malformed))
        #expect(results[0].error?.detail == "it is tdx-attest's")
        #expect(results[1].secret == [2])
    }

    @Test func `two brokers take two reports and both answer`() throws {
        let first = try Site(owner, platform, tls: 1)
        let second = try Site(owner, platform, tls: 2)
        let network = BrokerNetwork(brokers: [first.tls: first.broker, second.tls: second.broker])
        let pin = AttestPin(.snp, reporter: platform, transport: network)
        let messages = [try first.bind([1]), try second.bind([2]), try first.bind([3])]
        #expect(Settled.all(messages, by: pin).map(\.secret) == [[1], [2], [3]])
        #expect(platform.reports == 2)
        #expect(first.broker.log.count == 2 && second.broker.log.count == 2)
    }

    @Test func `a broker out of reach does not keep the other from answering`() throws {
        let near = try Site(owner, platform, tls: 1)
        let far = try Site(owner, platform, tls: 2)
        let results = near.recover([try far.bind([2]), try near.bind([1])])
        #expect(results[0].error == PinError(.unavailable))
        #expect(results[1].secret == [1])
    }

    @Test func `a denied envelope shows the reason and does not hold up its neighbours`() throws {
        let site = try Site(owner, platform, .denying(position: 1, reason: "measurement is a1, not b2"))
        let results = site.recover([try site.bind([1]), try site.bind([2]), try site.bind([3])])
        #expect(results[0].secret == [1])
        #expect(results[1].error?.description == "refused: unseal: https://b.example.org: measurement is a1, not b2")
        #expect(results[2].secret == [3])
    }

    @Test func `answers in each other's place are refused`() throws {
        let site = try Site(owner, platform, .mixingUp)
        for result in site.recover([try site.bind([1]), try site.bind([2])]) {
            #expect(result.error == PinError(.refused))
            #expect(result.error?.detail.contains("another envelope") == true)
        }
    }

    @Test func `fewer results than envelopes fail all of them`() throws {
        let site = try Site(owner, platform, .forgetting)
        for result in site.recover([try site.bind([1]), try site.bind([2])]) {
            #expect(result.error == PinError(.unavailable))
            #expect(result.error?.step == "unseal")
        }
    }

    @Test(arguments: [
        (400, PinError.Code.malformed), (401, .unavailable), (403, .refused), (404, .unavailable), (413, .malformed),
        (503, .unavailable),
    ])
    func `the broker's status becomes the error's code`(status: Int, code: PinError.Code) throws {
        for step in ["auth", "unseal"] {
            let site = try Site(owner, platform, .status(status, at: step))
            let error = try #require(site.recover([try site.bind([1])])[0].error)
            #expect(error.code == code)
            #expect(error.step == step)
            #expect(error.detail == "https://b.example.org/kbs/v0/\(step): HTTP \(status) EvidenceRefused: told to")
        }
    }

    @Test(arguments: ["auth", "unseal"]) func `something else than a broker is unavailable`(step: String) throws {
        let site = try Site(owner, platform, .babbling(at: step))
        let error = try #require(site.recover([try site.bind([1])])[0].error)
        #expect(error.code == .unavailable)
        #expect(error.step == step)
    }

    @Test func `without the TEE nobody is asked`() throws {
        let absent = try FakePlatform(absence: PinError(.unavailable, step: "configfs-tsm", detail: "no TEE"))
        let site = try Site(owner, absent)
        let error = try #require(site.recover([try site.bind([1])])[0].error)
        #expect(error.description == "unavailable: report: configfs-tsm: no TEE")
        #expect(site.broker.log.isEmpty)
    }

    @Test func `more certificates than a broker takes fail before they are sent`() throws {
        let verbose = try FakePlatform(appendix: [UInt8](repeating: 0, count: EvidenceDocument.maximumCertificates + 1))
        let site = try Site(owner, verbose)
        let error = try #require(site.recover([try site.bind([1])])[0].error)
        #expect(error.code == .failed)
        #expect(error.step == "report")
        #expect(site.broker.log.count == 1)
    }

    @Test func `another owner's envelope is refused with the broker's reason`() throws {
        let site = try Site(owner, platform)
        let stranger = try Site(try SigningKey.generate(), platform, like: site)
        let error = try #require(site.recover([try stranger.bind([1])])[0].error)
        #expect(error.code == .refused)
        #expect(error.detail.contains("owner"))
    }

    @Test func `a message that is no envelope fails by itself`() throws {
        let site = try Site(owner, platform)
        let broken = try JWE.encrypt(
            SecretBytes(copyingPublic: [1]), contentKey: try SecretBytes.random(count: 32),
            header: ["clevis": ["pin": "snp-attest", "snp-attest": [:]]])
        let results = site.recover([broken, try site.bind([2])])
        #expect(results[0].error == PinError(.malformed))
        #expect(results[1].secret == [2])
    }

    // MARK: - Binding

    @Test(arguments: [("url", "--broker"), ("broker", "--broker"), ("policy", "--policy")])
    func `a missing member says what to run`(member: String, remedy: String) throws {
        let site = try Site(owner, platform)
        var members = try #require(site.configuration.object)
        members[member] = nil
        let error = #expect(throws: PinError.self) { try site.encryptor(.object(members)) }
        #expect(error?.code == .malformed)
        #expect(error?.detail.contains("\(member) is missing") == true)
        #expect(error?.detail.contains("cvm-clevis init") == true && error?.detail.contains(remedy) == true)
    }

    @Test(
        arguments: [
            ("url", "gopher://x"), ("tls", "AAAA"), ("broker", ["kty": "RSA"]), ("policy", []), ("policy", [:]), ("x", 1),
        ] as [(String, JSON)])
    func `a member of another form is malformed and named`(member: String, value: JSON) throws {
        let site = try Site(owner, platform)
        var members = try #require(site.configuration.object)
        members[member] = value
        let error = #expect(throws: PinError.self) { try site.encryptor(.object(members)) }
        #expect(error?.code == .malformed)
        #expect(error?.detail.contains(member) == true, "\(error?.detail ?? "")")
    }

    @Test func `a configuration that is no object is malformed`() throws {
        let site = try Site(owner, platform)
        #expect(throws: PinError(.malformed)) { try site.encryptor("x") }
    }

    @Test func `without an owner's key nothing is bound`() throws {
        let site = try Site(owner, platform)
        let binding = try Binding(issuedAt: 1, owner: nil, registry: PinRegistry([site.pin]))
        let error = #expect(throws: PinError.self) { try site.pin.encryptor(for: site.configuration, in: binding) }
        #expect(error?.code == .malformed)
        #expect(error?.detail.contains("cvm-clevis init") == true)
    }

    @Test func `the policy is judged by the check that the program brings`() throws {
        let pin = AttestPin(.snp, reporter: platform, transport: BrokerNetwork(brokers: [:])) { (_, _) throws(JSONError) in
            throw JSONError(place: "vmpl", problem: "must be 0 to 3")
        }
        let site = try Site(owner, platform)
        let binding = try Binding(issuedAt: 1, owner: owner, registry: PinRegistry([pin]))
        let error = #expect(throws: PinError.self) { try pin.encryptor(for: site.configuration, in: binding) }
        #expect(error?.detail == "policy.vmpl: must be 0 to 3")
    }

    @Test(
        arguments: [
            ["snp-attest": [[:], [:]]],
            ["snp-attest": [:], "tdx-attest": ["policy": AttestPinTests.tdxPolicy]],
        ] as [JSON])
    func `an sss of two attested pins is at most 3400 bytes`(pins: JSON) throws {
        let site = try Site(owner, platform)
        let attested = Platform.allCases.map { tee in
            AttestPin(tee, reporter: platform, transport: BrokerNetwork(brokers: [:])) { policy, _ in policy }
        }
        let registry = PinRegistry(attested + [SSSPin()])
        var members = try #require(site.configuration.object)
        members["url"] = "https://broker.fleet.example.org:8443/v1"
        members["policy"] = .object([
            "measurement": [.string(Base64URL.encode([UInt8](repeating: 7, count: 48)))],
            "tcb": ["genoa": "0a00000000001754"],
        ])
        let binding = try Binding(
            issuedAt: 1_790_000_000, owner: owner, registry: registry,
            defaults: ["snp-attest": .object(members), "tdx-attest": .object(members)])
        let message = try registry.encryptor(named: "sss", for: ["t": 2, "pins": pins], in: binding).encrypt(
            SecretBytes(copyingPublic: [UInt8](repeating: 1, count: 54)))
        #expect(message.compact.utf8.count <= 3400, "\(message.compact.utf8.count) bytes")
    }

    @Test func `an envelope carries the binding's name and date`() throws {
        let site = try Site(owner, platform)
        let header = try Envelope(try site.bind([1])).header
        #expect(header.id == site.binding.id)
        #expect(header.issuedAt == site.binding.issuedAt)
        #expect(header.owner == owner.publicKey.thumbprint)
        #expect(header.brokerKeyID == site.broker.key.publicKey.thumbprint)
    }
}
