// SPDX-License-Identifier: Apache-2.0
import Broker
import PinKit
import Testing

@Suite(.eachStore) struct StoreTests {
    let directory: TemporaryDirectory
    let place: String
    let store: Store
    let key: PublicKey

    init() throws {
        directory = try TemporaryDirectory()
        place = try StoreKind.current.place(in: directory)
        store = try Store(at: place)
        key = try SigningKey.generate().publicKey
    }

    // MARK: - Owners

    @Test func `an enrolled owner is found by name and by thumbprint, also by the next process`() throws {
        let owner = try store.enrol("alice", key, at: 1000)
        let again = try Store(at: place)
        #expect(try again.owner("alice") == owner)
        #expect(try again.owner(key.thumbprint) == owner)
        #expect(owner.key == key && owner.enrolledAt == 1000 && owner.notBefore == 0)
    }

    @Test func `a name or a key is enrolled once`() throws {
        try store.enrol("alice", key, at: 1000)
        let other = try SigningKey.generate().publicKey
        #expect(throws: BrokerError.self) { try store.enrol("alice", other, at: 1000) }
        #expect(throws: BrokerError.self) { try store.enrol("bob", key, at: 1000) }
        #expect(try store.owners().map(\.name) == ["alice"])
    }

    @Test(arguments: ["", " alice", "alice ", "a\nb", "a\u{1b}[31mb", String(repeating: "x", count: 65)])
    func `a name that would spoil a log line is refused`(name: String) {
        #expect(throws: BrokerError.self) { try store.enrol(name, key, at: 1000) }
    }

    @Test func `a removed owner is gone, and removing twice is an error`() throws {
        try store.enrol("alice", key, at: 1000)
        #expect(try store.remove(owner: "alice").key == key)
        #expect(try store.owners().isEmpty)
        #expect(throws: BrokerError("no owner alice is enrolled", hint: "see: cvm-clevis-broker owner list DIR")) {
            try store.remove(owner: "alice")
        }
    }

    @Test func `not-before is kept`() throws {
        try store.enrol("alice", key, at: 1000)
        try store.setNotBefore(2000, ofOwner: key.thumbprint)
        #expect(try store.owner("alice").notBefore == 2000)
    }

    @Test func `what is one owner's is not in another's lists, and not another's to replace`() throws {
        let other = try SigningKey.generate().publicKey
        try store.enrol("alice", key, at: 1000)
        try store.enrol("mallory", other, at: 1000)
        let sealer = ResourceSealer(try Sealer(key: .random(count: 32)))
        let path = try ResourcePath("a/b/c")
        let content = SecretBytes(copyingPublic: [1])
        let policy: JSON = ["snp": Stage.policy]
        let set = try store.set(content, at: path, owner: "alice", policy: policy, sealedBy: sealer, now: 1)
        #expect(throws: BrokerError("a/b/c is another owner's", hint: "choose another path")) {
            try store.set(content, at: path, owner: "mallory", policy: policy, sealedBy: sealer, now: 2)
        }
        #expect(try store.resource(path) == set)
        #expect(try store.resources(owner: key.thumbprint) == [set] && store.resources(owner: other.thumbprint).isEmpty)

        let entry = AuditEntry(
            at: 1, verdict: Verdict(decision: .granted, reason: ""), owner: key.thumbprint, remote: "::1", simulated: false)
        _ = try AuditChain(key: SigningKey.generate(), store: store, at: 1).record([entry], at: 1)
        var filter = AuditFilter()
        filter.owner = other.thumbprint
        #expect(try store.audit(filter, last: 10).isEmpty)
        filter.owner = key.thumbprint
        #expect(try store.audit(filter, last: 10).map(\.entry) == [entry])
    }

    // MARK: - Revocations

    @Test func `revocations are listed as they were made, and outlive their owner`() throws {
        let id = Base64URL.encode(try Random.bytes(16))
        let chip = Base64URL.encode(try Random.bytes(64))
        try store.enrol("alice", key, at: 1000)
        try store.revoke(.binding(id, owner: key.thumbprint), note: "stolen", at: 1001)
        try store.revoke(.chip(chip, owner: nil), note: "", at: 1002)
        try store.remove(owner: "alice")
        let list = try store.revocations()
        #expect(list.map(\.subject) == [.binding(id, owner: key.thumbprint), .chip(chip, owner: nil)])
        #expect(list.map(\.note) == ["stolen", ""])
    }

    @Test func `what is no id is not revoked`() {
        #expect(throws: BrokerError.self) { try store.revoke(.binding("disk1", owner: key.thumbprint), note: "", at: 1) }
        #expect(throws: BrokerError.self) { try store.revoke(.chip("AAAA", owner: nil), note: "", at: 1) }
    }

    @Test func `revoking twice is an error that says so`() throws {
        let id = Base64URL.encode(try Random.bytes(16))
        try store.revoke(.binding(id, owner: key.thumbprint), note: "", at: 1)
        #expect(throws: BrokerError("binding \(id) is revoked already")) {
            try store.revoke(.binding(id, owner: key.thumbprint), note: "", at: 2)
        }
    }

    // MARK: - Migrations

    @Test func `opening twice changes nothing`() throws {
        try store.enrol("alice", key, at: 1000)
        let tables = try store.schema()
        #expect(try Store(at: place).schema() == tables)
        let common = [
            "audit", "broker_key", "certificate", "default_policy", "owner", "reference_set", "replica", "repository",
            "resource", "revocation", "standing", "token",
        ]
        let own = StoreKind.current == .sqlite ? ["grdb_migrations", "sqlite_sequence"] : ["migration"]
        #expect(tables == (common + own).sorted())
    }

    @Test func `what a newer version wrote is refused`() throws {
        let isFile = StoreKind.current == .sqlite
        try store.execute("INSERT INTO \(isFile ? "grdb_migrations" : "migration") VALUES ('v999')")
        let name = isFile ? place : "the store"
        #expect(throws: BrokerError("\(name) was written by a newer cvm-clevis-broker", hint: "upgrade this one")) {
            _ = try Store(at: place)
        }
    }

    @Test func `a transaction is on the disk when it returns`() throws {
        let isFile = StoreKind.current == .sqlite
        #expect(try store.pragma("journal_mode") == (isFile ? "wal" : nil))
        #expect(try store.pragma("synchronous") == (isFile ? "2" /* FULL */ : nil))
    }
}
