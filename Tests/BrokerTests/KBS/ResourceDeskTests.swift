// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import Foundation
import PinKit
import TEESimulator
import Testing

@Suite(.eachStore) struct ResourceDeskTests {
    let stage: Stage

    init() throws { stage = try Stage() }

    @Test(arguments: KBSVersion.allCases)
    func `a guest that the policy wants gets the resource, by cookie and by token`(version: KBSVersion) throws {
        try stage.store()
        let guest = KBSGuest(stage: stage, version: version)
        let (token, cookie) = try guest.attest()
        #expect(try guest.open(stage.release(.cookie(cookie))) == stage.share)
        #expect(try guest.open(stage.release(.token(token))) == stage.share)
    }

    @Test func `a TDX guest gets what is for TDX`() throws {
        try stage.store(policy: ["tdx": TDXSettings.examplePolicy])
        let guest = KBSGuest(stage: stage, tee: .tdx(TDXSettings()))
        #expect(try guest.open(stage.release(.cookie(guest.attest().cookie))) == stage.share)
        let other = KBSGuest(stage: stage)
        let rejection = try stage.rejection { _ = try stage.release(.cookie(other.attest().cookie)) }
        #expect(rejection.variant == .policyDeny && rejection.detail.contains("is not for AMD SEV-SNP"))
    }

    @Test func `another replica with the same keys goes on with a session`() throws {
        try stage.store()
        let guest = KBSGuest(stage: stage)
        let (nonce, cookie) = try guest.begin()
        let attested = try stage.replica().resources.attest(
            guest.message(nonce), cookie: cookie, from: stage.remote, at: stage.now)
        #expect(try guest.open(stage.release(.cookie(attested.cookie))) == stage.share)
    }

    @Test func `cookie and token fit where clients and servers put them`() throws {
        for tee in [SimulatedTEE.snp(SNPSettings()), .tdx(TDXSettings())] {
            let (token, cookie) = try KBSGuest(stage: stage, tee: tee).attest()
            #expect(cookie.utf8.count < 4096 - 40, "\(cookie.utf8.count)")
            #expect(token.utf8.count < (8 << 10) - 40, "\(token.utf8.count)")
        }
    }

    @Test func `the token is a JWT with claims, signed by the token key`() throws {
        let token = try KBSGuest(stage: stage).attest().token
        let parts = token.split(separator: ".").map(String.init)
        #expect(parts.count == 3)
        let signature = try Base64URL.decode(parts[2]).orThrow("a signature")
        #expect(stage.token.publicKey.verifies(signature, over: Array("\(parts[0]).\(parts[1])".utf8)))
        let claims = try JSON(parsing: Base64URL.decode(parts[1]).orThrow("claims"))
        #expect(claims["exp"]?.integer == stage.now + 300 && claims["nbf"] == nil)
        let cpu = try (claims["submods"]?["cpu0"]).orThrow("cpu0")
        // The simulator's: nobody who trusts the signer may take it for hardware.
        #expect(cpu["ear.status"] == "contraindicated")
        let measurement = cpu["ear.veraison.annotated-evidence"]?["snp"]?["measurement"]?.string
        #expect(measurement == Hex.encode(SNPSettings.defaultMeasurement))
    }

    // MARK: - Sessions

    @Test(arguments: [nil, "", "0123456789abcdef0123456789abcdef", "a.b.c"] as [String?])
    func `without a session there is nothing, whether the resource exists or not`(text: String?) throws {
        try stage.store()
        for credential in [text.map { .cookie($0) }, text.map { .token($0) }] as [ResourceDesk.Credential?] {
            for path in ["default/disk/root", "default/disk/none"] {
                #expect(try stage.rejection { _ = try stage.release(credential, path: path) }.variant == .unauthenticated)
            }
        }
        #expect(
            try stage.rejection {
                _ = try stage.unsealer.resources.attest([], cookie: text, from: stage.remote, at: stage.now)
            }.variant == .unauthenticated)
    }

    @Test func `a session that was begun has attested nothing, and one that attested does not again`() throws {
        try stage.store()
        let guest = KBSGuest(stage: stage)
        let (nonce, cookie) = try guest.begin()
        #expect(try stage.rejection { _ = try stage.release(.cookie(cookie)) }.variant == .unauthenticated)
        let attested = try guest.attest().cookie
        let rejection = try stage.rejection {
            _ = try stage.unsealer.resources.attest(
                guest.message(nonce), cookie: attested, from: stage.remote, at: stage.now)
        }
        #expect(rejection.variant == .unauthenticated)
    }

    @Test func `a session ends after five minutes`() throws {
        try stage.store()
        let (token, cookie) = try KBSGuest(stage: stage).attest()
        for credential in [ResourceDesk.Credential.cookie(cookie), .token(token)] {
            #expect(throws: Never.self) { try stage.release(credential, at: stage.now + 299) }
            let rejection = try stage.rejection { _ = try stage.release(credential, at: stage.now + 300) }
            #expect(rejection.variant == .unauthenticated)
        }
    }

    @Test func `no bit of cookie or token may change`() throws {
        try stage.store()
        let (token, cookie) = try KBSGuest(stage: stage).attest()
        for (text, make) in [
            (cookie, ResourceDesk.Credential.cookie), (token, ResourceDesk.Credential.token),
        ] as [(String, (String) -> ResourceDesk.Credential)] {
            for index in stride(from: 0, to: text.utf8.count, by: 97) {
                var bytes = Array(text.utf8)
                bytes[index] = bytes[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
                let changed = String(decoding: bytes, as: UTF8.self)
                #expect(throws: Rejection.self, "at \(index)") { try stage.release(make(changed)) }
            }
        }
    }

    @Test func `a token that another key signed is none`() throws {
        try stage.store()
        let parts = try KBSGuest(stage: stage).attest().token.split(separator: ".")
        let signature = try SigningKey.generate().sign(Array("\(parts[0]).\(parts[1])".utf8))
        let forged = "\(parts[0]).\(parts[1]).\(Base64URL.encode(signature))"
        #expect(try stage.rejection { _ = try stage.release(.token(forged)) }.variant == .unauthenticated)
    }

    // MARK: - Evidence

    @Test func `a nonce serves once, also after a failure`() throws {
        let guest = KBSGuest(stage: stage)
        let (nonce, cookie) = try guest.begin()
        let other = try guest.begin().nonce
        let desk = stage.unsealer.resources
        let failed = try stage.rejection {
            _ = try desk.attest(
                guest.message(nonce, evidenceFor: other), cookie: cookie, from: stage.remote, at: stage.now)
        }
        #expect(failed.variant == .evidenceRefused)
        let again = try stage.rejection {
            _ = try desk.attest(guest.message(nonce), cookie: cookie, from: stage.remote, at: stage.now)
        }
        #expect(again.variant == .nonceRefused && again.detail.contains("used before"))
    }

    @Test func `a nonce is too old after a minute, and of no other session`() throws {
        let guest = KBSGuest(stage: stage)
        let (nonce, cookie) = try guest.begin()
        let desk = stage.unsealer.resources
        let late = try stage.rejection {
            _ = try desk.attest(guest.message(nonce), cookie: cookie, from: stage.remote, at: stage.now + 61)
        }
        #expect(late.variant == .nonceRefused)
        let foreign = try stage.rejection {
            _ = try desk.attest(guest.message(guest.begin().nonce), cookie: cookie, from: stage.remote, at: stage.now)
        }
        #expect(foreign.variant == .nonceRefused && foreign.detail.contains("another nonce"))
    }

    @Test func `evidence of another TEE than the session's is no request`() throws {
        let (nonce, cookie) = try KBSGuest(stage: stage).begin()
        let message = try KBSGuest(stage: stage, tee: .tdx(TDXSettings())).message(nonce)
        let rejection = try stage.rejection {
            _ = try stage.unsealer.resources.attest(message, cookie: cookie, from: stage.remote, at: stage.now)
        }
        #expect(rejection.variant == .malformedRequest)
    }

    @Test func `additional evidence is covered by the report`() throws {
        try stage.store()
        let guest = KBSGuest(stage: stage)
        let (nonce, cookie) = try guest.begin()
        let attested = try stage.unsealer.resources.attest(
            guest.message(nonce, additional: #"{"nvidia":{"é":"\"\\/"}}"#), cookie: cookie, from: stage.remote, at: stage.now
        )
        #expect(try guest.open(stage.release(.cookie(attested.cookie))) == stage.share)
    }

    @Test func `init-data that the guest was not launched with is refused`() throws {
        let toml = "version = \"0.1.0\"\nalgorithm = \"sha256\"\n\n[data]\n\"a\" = \"b\"\n"
        var settings = SNPSettings()
        settings.hostData = Digest.sha256(Array(toml.utf8))
        #expect(throws: Never.self) { try KBSGuest(stage: stage, tee: .snp(settings), initData: toml).attest() }
        let rejection = try stage.rejection { _ = try KBSGuest(stage: stage, initData: toml).attest() }
        #expect(rejection.variant == .evidenceRefused && rejection.detail.contains("init-data"))
        let audit = try stage.store.auditEntries(last: 1)
        #expect(audit.first?.verdict.failures.first?.predicate == "init-data")
    }

    @Test func `without the simulator's roots its evidence is refused`() throws {
        let stage = try Stage(trustsSimulator: false)
        #expect(try stage.rejection { _ = try KBSGuest(stage: stage).attest() }.variant == .evidenceRefused)
    }

    // MARK: - Decisions

    @Test func `a guest that the policy does not want is denied with every condition, and it is in the audit log`() throws {
        var settings = SNPSettings()
        settings.vmpl = 2
        settings.measurement = [UInt8](repeating: 7, count: 48)
        try stage.store()
        let cookie = try KBSGuest(stage: stage, tee: .snp(settings)).attest().cookie
        let rejection = try stage.rejection { _ = try stage.release(.cookie(cookie)) }
        #expect(rejection.variant == .policyDeny && rejection.variant.status == 403)
        #expect(rejection.detail.contains("measurement") && rejection.detail.contains("vmpl is 2, not 0"))
        let entry = try stage.store.auditEntries(last: 1).first.orThrow("an entry")
        #expect(entry.resource == "default/disk/root" && entry.verdict.decision == .refused)
        #expect(entry.owner == stage.owner.publicKey.thumbprint)
        #expect(try stage.store.audit(last: 1).first?.json["resource"] == "default/disk/root")
    }

    @Test(arguments: ["default/disk/none", "default/disk", "default/../root", "a/b/c/d", "", "default/disk/%72oot"])
    func `what is not there is not found`(path: String) throws {
        try stage.store()
        let cookie = try KBSGuest(stage: stage).attest().cookie
        let rejection = try stage.rejection { _ = try stage.release(.cookie(cookie), path: path) }
        #expect(rejection.variant == .notFound && rejection.variant.status == 404)
    }

    @Test func `what an owner or the operator takes away is gone at once, in a session as well`() throws {
        try stage.store()
        let guest = KBSGuest(stage: stage)
        let cookie = try guest.attest().cookie
        let chip = Base64URL.encode(SNPSettings.defaultChip)
        try stage.store.revoke(.chip(chip, owner: stage.owner.publicKey.thumbprint), note: "", at: stage.now)
        #expect(try stage.rejection { _ = try stage.release(.cookie(cookie)) }.detail.contains("is revoked"))
        try stage.store.remove(owner: "alice")
        #expect(try stage.rejection { _ = try stage.release(.cookie(cookie)) }.detail.contains("is not enrolled"))
        try stage.store.remove(resource: ResourcePath("default/disk/root"))
        #expect(try stage.rejection { _ = try stage.release(.cookie(cookie)) }.variant == .notFound)
    }

    @Test func `the broker's own floor counts`() throws {
        let stage = try Stage(floors: ["genoa=ff000000000000ff"])
        try stage.store()
        let cookie = try KBSGuest(stage: stage).attest().cookie
        #expect(try stage.rejection { _ = try stage.release(.cookie(cookie)) }.detail.contains("minimum"))
    }

    @Test func `without an audit log nothing is given out`() throws {
        try stage.store()
        let cookie = try KBSGuest(stage: stage).attest().cookie
        try stage.store.execute("DROP TABLE audit")
        #expect(try stage.rejection { _ = try stage.release(.cookie(cookie)) }.variant == .unavailable)
    }

    // MARK: - The store

    @Test(arguments: [
        "UPDATE resource SET policy = '{\"snp\":{\"covers\":[],\"measurement\":[]}}'",
        "UPDATE resource SET path = 'default/disk/other'", "UPDATE resource SET sealed = 'AAAA'",
        "UPDATE resource SET owner = (SELECT thumbprint FROM owner WHERE name = 'mallory')",
    ])
    func `a resource opens only as what it was stored as`(change: String) throws {
        try stage.store.enrol("mallory", SigningKey.generate().publicKey, at: stage.now)
        try stage.store()
        let cookie = try KBSGuest(stage: stage).attest().cookie
        try stage.store.execute(change)
        for path in ["default/disk/root", "default/disk/other"] {
            #expect(throws: Rejection.self) { try stage.release(.cookie(cookie), path: path) }
        }
    }

    @Test func `the database holds no content, and another broker's key opens none`() throws {
        try stage.store()
        let needle = Array("a share that nobody may see".utf8)
        for file in try stage.scratch.contents() { #expect(file.range(of: .init(needle)) == nil) }
        try stage.store.set(
            SecretBytes(copyingPublic: stage.share), at: ResourcePath("a/b/c"), owner: "alice", policy: Stage.resourcePolicy,
            sealedBy: ResourceSealer(Sealer(key: .random(count: 32))), now: stage.now)
        let cookie = try KBSGuest(stage: stage).attest().cookie
        let rejection = try stage.rejection { _ = try stage.release(.cookie(cookie), path: "a/b/c") }
        #expect(rejection.variant == .unavailable && rejection.detail.contains("is sealed with key"))
    }

    @Test func `one owner's path is no other's`() throws {
        try stage.store.enrol("bob", SigningKey.generate().publicKey, at: stage.now)
        try stage.store()
        try stage.store([1])
        #expect(try stage.store.resource(ResourcePath("default/disk/root")).size == 1)
        let error = #expect(throws: BrokerError.self) { try stage.store(owner: "bob") }
        #expect(error?.message.contains("another owner's") == true)
        #expect(try stage.store.resources(owner: stage.owner.publicKey.thumbprint).count == 1)
        #expect(try stage.store.resources(owner: "nobody").isEmpty)
    }

    @Test(arguments: [[:], ["cca": [:]], ["snp": [:]], ["snp": ["mesurement": []]], "x", ["tdx": ["covers": []]]] as [JSON])
    func `a policy that nobody understands is not stored`(policy: JSON) throws {
        #expect(throws: BrokerError.self) { try stage.store(policy: policy) }
    }

    @Test func `a resource has 1 byte to 64 KiB`() throws {
        #expect(throws: BrokerError.self) { try stage.store([]) }
        #expect(throws: BrokerError.self) { try stage.store([UInt8](repeating: 1, count: 65_537)) }
        let whole = [UInt8](repeating: 1, count: 65_536)
        try stage.store(whole)
        let guest = KBSGuest(stage: stage)
        #expect(try guest.open(stage.release(.cookie(guest.attest().cookie))) == whole)
    }
}
