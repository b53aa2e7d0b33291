// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import Foundation
import PinKit
import Testing

/// Replicas that share nothing but a store and the key to it, and keys that change.
@Suite(.eachStore) struct KeyRingTests {
    let scratch: TemporaryDirectory
    let url: BrokerURL
    let now = systemSeconds()
    let storeURL: String?
    let first: BrokerDirectory

    init() throws {
        scratch = try TemporaryDirectory()
        url = try BrokerURL("https://127.0.0.1:8443")
        storeURL = StoreKind.current == .postgres ? try PostgresServer.database() : nil
        let path = scratch.path + "/first"
        _ = try BrokerDirectory.create(at: path, store: storeURL, url: url, selfSigned: true, now: now)
        first = BrokerDirectory(path)
    }

    private func ring(_ directory: BrokerDirectory? = nil, at moment: Int64? = nil) throws -> KeyRing {
        let directory = directory ?? first
        return try KeyRing(directory, Store(in: directory), at: moment ?? now)
    }

    /// Another replica. Of SQLite's file there is one directory only: then a second process on the same one.
    private func second() throws -> BrokerDirectory {
        guard let storeURL else { return first }
        let path = scratch.path + "/second"
        _ = try BrokerDirectory.create(
            at: path, store: storeURL, resourceKey: first.path + "/resource.key", url: url, selfSigned: true, now: now)
        return BrokerDirectory(path)
    }

    private func ids(_ purpose: KeyPurpose, at moment: Int64? = nil) throws -> [KeyDescription.State: [String]] {
        Dictionary(grouping: try first.keyDescriptions(at: moment ?? now).filter { $0.purpose == purpose }, by: \.state)
            .mapValues { $0.map(\.id) }
    }

    // MARK: - Replicas

    @Test func `a replica that joined has the keys of the first, and a chain of its own`() throws {
        let directory = try second()
        let (one, two) = (try ring().keys(at: now), try ring(directory).keys(at: now))
        #expect(one.envelopes.current.publicKey == two.envelopes.current.publicKey)
        #expect(two.nonces.current.open(try one.nonces.current.seal(at: now)) == now)
        let session = try one.sessions.current.seal(SecretBytes(copyingPublic: [7]), "x")
        #expect(opens(session, two.sessions.current))
        #expect(one.tokens.current.publicKey == two.tokens.current.publicKey)
        #expect(one.tls.map(\.pin) == two.tls.map(\.pin) && one.tls.count == 1)
        #expect(try first.publicDescription() == directory.publicDescription())
        #expect(try directory.pins(certificate: directory.path + "/tls-cert.pem"))
        guard storeURL != nil else { return }
        #expect(try scratch.mode(of: "second/resource.key") == 0o600)
        #expect(try first.auditReplica() != directory.auditReplica())
    }

    @Test func `who makes a broker on a store with keys is told how to make a replica, and has nothing of it`() throws {
        guard let storeURL else { return }
        let path = scratch.path + "/other"
        let error = #expect(throws: BrokerError.self) {
            _ = try BrokerDirectory.create(at: path, store: storeURL, url: url, selfSigned: true, now: now)
        }
        #expect(error?.hint?.contains("--resource-key") == true)
        let stranger = scratch.path + "/stranger.key"
        #expect(FileManager.default.createFile(atPath: stranger, contents: Data(repeating: 7, count: 32)))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: stranger)
        let refused = #expect(throws: BrokerError.self) {
            _ = try BrokerDirectory.create(
                at: path, store: storeURL, resourceKey: stranger, url: url, selfSigned: true, now: now)
        }
        #expect(refused?.message.contains("sealed with resource key") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).isEmpty)
    }

    @Test func `a directory whose resource key is gone is refused, and not given a new one`() throws {
        try FileManager.default.removeItem(atPath: first.path + "/resource.key")
        let error = #expect(throws: BrokerError.self) { try ring() }
        #expect(error?.message.contains("resource.key is missing") == true)
        #expect(throws: BrokerError.self) { try first.resourceSealer() }
        #expect(!FileManager.default.fileExists(atPath: first.path + "/resource.key"))
    }

    @Test func `nothing in the store opens without the resource key`() throws {
        let text = try (0..<3).map { _ in
            let file = scratch.path + "/backup-\(Hex.encode(try Random.bytes(4)))"
            try Store(in: first).backUp(to: file, at: now)
            return try String(contentsOfFile: file, encoding: .utf8)
        }
        #expect(text.allSatisfy { $0.contains("broker_key") && !$0.contains("PRIVATE") && !$0.contains("\"d\"") })
    }

    // MARK: - Rotation

    @Test func `a nonce key is used when all know it, and the old one opens until its nonces are over`() throws {
        let ring = try ring()
        let nonce = try ring.keys(at: now).nonces.current.seal(at: now)
        try first.rotate(.nonce, now: now)
        try ring.reread(at: now + 5)
        let (early, late, over) = (ring.keys(at: now + 14), ring.keys(at: now + 15), ring.keys(at: now + 615))
        #expect(early.nonces.current.open(nonce) != nil && early.nonces.others.count == 1)
        #expect(late.nonces.current.open(nonce) == nil && late.nonces.others.contains { $0.open(nonce) != nil })
        #expect(over.nonces.others.isEmpty && over.nonces.current.open(nonce) == nil)
    }

    @Test func `a cookie key and a token key change in the same way`() throws {
        let ring = try ring()
        let before = ring.keys(at: now)
        let sealed = try before.sessions.current.seal(SecretBytes(copyingPublic: [7]), "x")
        for purpose in [KeyPurpose.cookie, .token] { try first.rotate(purpose, now: now) }
        try ring.reread(at: now)
        let (late, over) = (ring.keys(at: now + 15), ring.keys(at: now + 615))
        #expect(!opens(sealed, late.sessions.current))
        #expect(late.sessions.others.contains { opens(sealed, $0) } && over.sessions.others.isEmpty)
        #expect(late.tokens.current.publicKey != before.tokens.current.publicKey)
        #expect(late.tokens.others.map(\.publicKey) == [before.tokens.current.publicKey] && over.tokens.others.isEmpty)
        #expect(late.envelopes.current.publicKey == before.envelopes.current.publicKey)
    }

    @Test func `an earlier envelope key stays until it is retired, and public.json has the new one`() throws {
        let old = try ring().keys(at: now).envelopes.current.publicKey
        let pin = try first.publicDescription().tls
        let made = try first.rotate(.envelope, now: now + 1)
        let later = try ring(at: now + 9000).keys(at: now + 9000)
        #expect(later.envelopes.current.publicKey.thumbprint == made.id)
        #expect(later.envelopes.others.map(\.publicKey) == [old])
        #expect(try first.publicDescription().broker == later.envelopes.current.publicKey)
        #expect(try first.publicDescription().tls == pin)

        for id in [made.id, "nobody"] {
            #expect(throws: BrokerError.self) { try first.retire(.envelope, id, now: now + 1) }
        }
        try first.retire(.envelope, old.thumbprint, now: now + 1)
        #expect(throws: BrokerError.self) { try first.retire(.envelope, old.thumbprint, now: now + 1) }
        #expect(try ring(at: now + 9000).keys(at: now + 9000).envelopes.others.isEmpty)
        #expect(try ids(.envelope, at: now + 1) == [.current: [made.id], .retired: [old.thumbprint]])
    }

    @Test func `a TLS key is announced first, and served when the one before is retired`() throws {
        let old = try first.publicDescription().tls.orThrow("a pin")
        let made = try first.rotate(.tls, now: now + 1)
        let new = try Base64URL.decode(made.id).orThrow("a pin")
        #expect(made.state == .next && new.count == 32)
        #expect(try first.publicDescription().tls == old + new)
        #expect(try ring().keys(at: now + 9000).tls.map(\.pin) == [old, new])
        #expect(try first.pins(certificate: first.path + "/tls-cert.pem"))

        // There is room for two pins; and one of them has to stay.
        let error = #expect(throws: BrokerError.self) { try first.rotate(.tls, now: now + 2) }
        #expect(error?.hint?.hasSuffix("--retire \(Base64URL.encode(old))") == true)
        try first.retire(.tls, Base64URL.encode(old), now: now + 2)
        #expect(try first.publicDescription().tls == new)
        #expect(try ring().keys(at: now + 2).tls.map(\.pin) == [new])
        #expect(try first.pins(certificate: first.path + "/tls-cert.pem"))
        #expect(try ids(.tls) == [.current: [made.id], .retired: [Base64URL.encode(old)]])
        #expect(throws: BrokerError.self) { try first.retire(.tls, made.id, now: now + 2) }
    }

    @Test func `an announced TLS key can be taken back`() throws {
        let old = try first.publicDescription().tls
        let made = try first.rotate(.tls, now: now + 1)
        try first.retire(.tls, made.id, now: now + 2)
        #expect(try first.publicDescription().tls == old)
        #expect(try ring().keys(at: now + 2).tls.map(\.pin) == [old])
    }

    @Test func `keys that open nothing any more are gone from the store`() throws {
        for round in 0..<4 { try first.rotate(.cookie, now: now + Int64(round) * 1000) }
        let states = try ids(.cookie, at: now + 3000)
        #expect(states[.next]?.count == 1 && states[.current]?.count == 1 && states.count == 2)
    }

    @Test func `replicas that rotate at once make two keys, and agree on which is current`() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<4 { group.addTask { try first.rotate(.token, now: now) } }
            try await group.waitForAll()
        }
        let moment = now + 60
        let states = try ids(.token, at: moment)
        #expect(states[.current]?.count == 1 && states[.earlier]?.count == 4)
    }

    // MARK: - A replica that does not know yet

    /// Two replicas on one stage; only the store connects them.
    private func replicas(_ stage: Stage) throws -> (one: Unsealer, two: Unsealer, ring: KeyRing) {
        let ring = try ring(at: stage.now)
        return (stage.replica(ring), stage.replica(try self.ring(second(), at: stage.now)), ring)
    }

    @Test func `a replica that has not read a new envelope key yet opens an envelope for it`() throws {
        let stage = try Stage()
        let (_, two, ring) = try replicas(stage)
        let old = ring.keys(at: stage.now).envelopes.current.publicKey
        try first.rotate(.envelope, now: stage.now + 1)
        let new = try first.publicDescription().broker
        for key in [old, new] {
            let envelope = try stage.envelope(to: key)
            let moment = stage.now + 2
            let request = try SimulatedGuest(key: stage.guest).request(
                [envelope.message.compact], to: key, nonce: two.challenge(at: moment).nonce)
            let result = try two.unseal(request, from: stage.remote, at: moment).response.results[0]
            #expect(try stage.open(result, answering: envelope) == stage.share)
        }
    }

    @Test func `an envelope for a retired key stays closed`() throws {
        let stage = try Stage()
        let old = try first.publicDescription().broker
        try first.rotate(.envelope, now: stage.now + 1)
        try first.retire(.envelope, old.thumbprint, now: stage.now + 2)
        let unsealer = stage.replica(try ring(at: stage.now + 2))
        let envelope = try stage.envelope(to: old)
        let request = try SimulatedGuest(key: stage.guest).request(
            [envelope.message.compact], to: old, nonce: unsealer.challenge(at: stage.now + 2).nonce)
        let rejection = #expect(throws: Rejection.self) {
            try unsealer.unseal(request, from: stage.remote, at: stage.now + 2)
        }
        #expect(rejection?.variant == .evidenceRefused)
    }

    @Test func `a session goes on at a replica that knows none of the keys that it was begun with`() throws {
        let stage = try Stage()
        let (one, two, ring) = try replicas(stage)
        for purpose in [KeyPurpose.nonce, .cookie, .token] { try first.rotate(purpose, now: stage.now) }
        try ring.reread(at: stage.now + 20)
        let moment = stage.now + 20
        let content = Array("a key of somebody's".utf8)
        let sealer = ResourceSealer(ring.keys(at: moment).resources)
        try stage.store.set(
            SecretBytes(copyingPublic: content), at: ResourcePath("a/b/c"), owner: "alice", policy: ["snp": Stage.policy],
            sealedBy: sealer, now: moment)

        let guest = KBSGuest(stage: stage)
        // Two has the old keys only until something comes that one made with the new ones.
        for (here, there) in [(two, one), (one, two)] {
            let challenge = try here.challenge(at: moment)
            let cookie = try here.resources.begin(
                AuthRequest(["version": "0.4.0", "tee": "snp", "extra-params": ""]), challenge, at: moment)
            let attested = try there.resources.attest(
                guest.message(challenge.nonce), cookie: cookie, from: stage.remote, at: moment)
            for credential in [ResourceDesk.Credential.cookie(attested.cookie), .token(attested.token)] {
                let released = try here.resources.release("a/b/c", to: credential, from: stage.remote, at: moment)
                #expect(try guest.open(released) == content)
            }
        }
    }

    // MARK: - Rekey

    @Test func `rekey seals everything anew, and a replica goes on when it has the new key`() throws {
        let stage = try Stage()
        let old = try first.resourceSealer()
        let store = try Store(in: first)
        try store.enrol("alice", stage.owner.publicKey, at: now)
        try store.set(
            SecretBytes(copyingPublic: [1, 2, 3]), at: ResourcePath("a/b/c"), owner: "alice",
            policy: ["snp": Stage.policy], sealedBy: old, now: now)
        let directory = try second()
        let ring = try ring(directory)
        let before = ring.keys(at: now).envelopes.current.publicKey
        #expect(try first.rekey(now: now) == (5, 1))
        #expect(!FileManager.default.fileExists(atPath: first.path + "/resource.key.next"))
        if storeURL != nil {
            #expect(throws: BrokerError.self) { try ring.reread(at: now + 1) }
            #expect(ring.keys(at: now + 1).envelopes.current.publicKey == before)
            try FileManager.default.removeItem(atPath: directory.path + "/resource.key")
            try FileManager.default.copyItem(
                atPath: first.path + "/resource.key", toPath: directory.path + "/resource.key")
        }
        try ring.reread(at: now + 2)
        #expect(ring.keys(at: now + 2).envelopes.current.publicKey == before)
        #expect(try first.rekey(now: now) == (5, 1))
    }

    // MARK: - Backups

    @Test func `keys come back from a backup with the resource key that they were sealed with, and else not`() throws {
        try first.rotate(.envelope, now: now + 1)
        let file = scratch.path + "/backup"
        try Store(in: first).backUp(to: file, at: now)
        func new(_ name: String, _ resourceKey: String?) throws -> BrokerDirectory {
            let path = "\(scratch.path)/\(name)"
            _ = try BrokerDirectory.create(
                at: path, store: storeURL == nil ? nil : PostgresServer.database(), resourceKey: resourceKey, url: url,
                selfSigned: true, now: now)
            return BrokerDirectory(path)
        }
        let stranger = try new("stranger", nil)
        #expect(throws: BrokerError.self) { try stranger.restore(from: file, now: now) }
        #expect(try Store(in: stranger).owners().isEmpty)
        let restored = try new("restored", first.path + "/resource.key")
        try restored.restore(from: file, now: now + 1)
        #expect(try restored.keyDescriptions(at: now + 1) == first.keyDescriptions(at: now + 1))
        #expect(try restored.publicDescription().broker == first.publicDescription().broker)
    }

    // MARK: - A directory of an earlier version

    private func older(_ name: String, _ envelope: AgreementKey, store: String?) throws -> BrokerDirectory {
        let path = "\(scratch.path)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try write(envelope.jwk(), to: path + "/envelope.jwk")
        try write(SecretBytes.random(count: 32), to: path + "/nonce.key")
        try PublicDescription(url: url, broker: envelope.publicKey, tls: nil).json.pretty
            .write(toFile: path + "/public.json", atomically: false, encoding: .utf8)
        return BrokerDirectory(path, store: store)
    }

    @Test func `keys that an earlier version kept in files go on, and those that are missing are made`() throws {
        let key = try AgreementKey.generate()
        let directory = try older("older", key, store: storeURL == nil ? nil : PostgresServer.database())
        let keys = try ring(directory).keys(at: now)
        #expect(keys.envelopes.current.publicKey == key.publicKey && keys.tls.isEmpty)
        let again = try ring(directory).keys(at: now)
        #expect(again.envelopes.others.isEmpty && again.tokens.current.publicKey == keys.tokens.current.publicKey)
        #expect(again.nonces.current.open(try keys.nonces.current.seal(at: now)) == now)

        // A key that is retired does not come back from the file.
        try directory.rotate(.envelope, now: now)
        try directory.retire(.envelope, key.publicKey.thumbprint, now: now)
        #expect(!FileManager.default.fileExists(atPath: directory.path + "/envelope.jwk"))
        try write(key.jwk(), to: directory.path + "/envelope.jwk")
        #expect(try ring(directory).keys(at: now).envelopes.others.isEmpty)
    }

    @Test func `a TLS key that an earlier version kept in a file is served with, and goes with its file when it is retired`()
        throws
    {
        // What such a directory had: the key and its certificate.
        let directory = try older(
            "older", AgreementKey.generate(), store: storeURL == nil ? nil : PostgresServer.database())
        let files = ["key", "cert"].map { "\(directory.path)/tls-\($0).pem" }
        let made = try BrokerProcess.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-days",
                "9", "-keyout", files[0], "-out", files[1],
            ])
        try #require(made.status == 0, "\(made.errors)")
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: files[0])
        let pin = try #require(ring(directory).keys(at: now).tls.first?.pin)
        try PublicDescription(url: url, broker: directory.publicDescription().broker, tls: pin).json.pretty
            .write(toFile: directory.publicFile, atomically: false, encoding: .utf8)
        #expect(try directory.pins(certificate: files[1]))
        let next = try directory.rotate(.tls, now: now)
        try directory.retire(.tls, Base64URL.encode(pin), now: now)
        #expect(!FileManager.default.fileExists(atPath: files[0]))
        #expect(try directory.publicDescription().tls == Base64URL.decode(next.id))
        #expect(try directory.pins(certificate: files[1]))
    }

    @Test func `bindings to the key of each replica of an earlier version go on opening`() throws {
        guard storeURL != nil else { return }
        let place = try PostgresServer.database()
        let keys = try (0..<2).map { _ in try AgreementKey.generate() }
        let one = try older("one", keys[0], store: place)
        _ = try ring(one).keys(at: now)
        let two = try older("two", keys[1], store: place)
        try FileManager.default.copyItem(atPath: one.path + "/resource.key", toPath: two.path + "/resource.key")
        let known = try ring(two).keys(at: now).envelopes
        #expect(Set(([known.current] + known.others).map(\.publicKey.thumbprint)) == Set(keys.map(\.publicKey.thumbprint)))
    }
}

private func write(_ content: borrowing SecretBytes, to path: String) throws {
    let bytes = unsafe content.withUnsafeBytes { unsafe Data($0) }
    let mode: [FileAttributeKey: Any] = [.posixPermissions: 0o600]
    try #require(FileManager.default.createFile(atPath: path, contents: bytes, attributes: mode))
}

private func opens(_ session: [UInt8], _ sealer: Sealer) -> Bool { sealer.open(session, "x") != nil }
