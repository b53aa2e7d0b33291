// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import Foundation
import PinKit
import Testing

@Suite(.eachStore) struct BackupTests {
    let scratch: TemporaryDirectory
    let now = systemSeconds()
    var file: String { scratch.path + "/backup" }

    init() throws { scratch = try TemporaryDirectory() }

    private func broker(_ name: String, _ kind: StoreKind = .current) throws -> BrokerDirectory {
        let path = "\(scratch.path)/\(name)"
        _ = try BrokerDirectory.create(
            at: path, store: kind == .postgres ? try PostgresServer.database() : nil,
            url: BrokerURL("https://127.0.0.1:8443"), selfSigned: true, now: now)
        return BrokerDirectory(path)
    }

    /// A broker with something in every table.
    private func filled() throws -> (BrokerDirectory, [AuditHead]) {
        let directory = try broker("old")
        let store = try Store(in: directory)
        let owner = try SigningKey.generate()
        try store.enrol("alice", owner.publicKey, at: now, notBefore: 5)
        try store.revoke(
            .binding(Base64URL.encode(Random.bytes(16)), owner: owner.publicKey.thumbprint), note: "é\n", at: now)
        try store.set(
            SecretBytes(copyingPublic: Array("very secret".utf8)), at: ResourcePath("a/b/c"), owner: "alice",
            policy: ["snp": Stage.policy], sealedBy: directory.resourceSealer(), now: now)
        try store.giveRepository("a", toOwner: "alice")
        _ = try store.createToken(TokenTerms(owner: "alice", scopes: [.audit], expiresAt: 0), at: now)
        let chain = try AuditChain(key: directory.loadKeys().audit, store: store, at: now)
        let entries = (1...1500).map { number in
            AuditEntry(
                at: Int64(number), verdict: Verdict(decision: .granted, reason: ""), remote: "::1", simulated: false)
        }
        return (directory, [try chain.record(entries, at: now)])
    }

    /// The new broker's keys are those of the old one.
    private func hand(_ old: BrokerDirectory, to new: BrokerDirectory) throws {
        for name in ["resource.key", "audit.pem"] {
            try FileManager.default.removeItem(atPath: "\(new.path)/\(name)")
            try FileManager.default.copyItem(atPath: "\(old.path)/\(name)", toPath: "\(new.path)/\(name)")
        }
    }

    @Test(arguments: StoreKind.allCases)
    func `what was backed up is there again, in a store of either kind`(kind: StoreKind) throws {
        let (old, heads) = try filled()
        let rows = try Store(in: old).backUp(to: file, at: now)
        #expect(try scratch.mode(of: "backup") == 0o600)
        let text = try String(contentsOfFile: file, encoding: .utf8)
        #expect(!text.contains("very secret"))

        let new = try broker("new", kind)
        try hand(old, to: new)
        #expect(try new.restore(from: file, now: now) == rows)
        let (one, two) = (try Store(in: old), try Store(in: new))
        #expect(try one.owners() == two.owners() && one.revocations() == two.revocations())
        #expect(try one.resources() == two.resources())
        #expect(try one.audit(last: 5000) == two.audit(last: 5000))
        #expect(try one.tokens() == two.tokens() && one.repositories() == two.repositories())
        // It goes on, under its own name, and what was handed out before holds.
        _ = try AuditChain(key: new.loadKeys().audit, store: two, at: now).record(
            [AuditEntry(at: 1, verdict: Verdict(decision: .granted, reason: ""), remote: "::1", simulated: false)], at: now)
        #expect(try two.verifyAudit(heads: heads, own: new.auditReplica()).problems.isEmpty)
        #expect(throws: BrokerError.self) { try new.restore(from: file, now: now) }
    }

    @Test func `a backup that is damaged or cut off changes nothing`() throws {
        let (old, _) = try filled()
        try Store(in: old).backUp(to: file, at: now)
        let new = try broker("new")
        let whole = try Data(contentsOf: URL(fileURLWithPath: file))
        let lines = whole.split(separator: UInt8(ascii: "\n"))
        var changed = whole
        changed[whole.count / 2] ^= 1
        var without = Data(lines.dropLast(2).joined(separator: [UInt8(ascii: "\n")]))
        without.append(UInt8(ascii: "\n"))
        without.append(lines[lines.count - 1])
        without.append(UInt8(ascii: "\n"))
        let damaged: [Data] = [
            Data(), Data("{}\n".utf8), Data(whole.dropLast()), Data(whole.prefix(whole.count / 2)), changed, without,
        ]
        for (number, bytes) in damaged.enumerated() {
            let path = "\(file)-\(number)"
            try bytes.write(to: URL(fileURLWithPath: path))
            #expect(throws: BrokerError.self, "\(number)") { try new.restore(from: path, now: now) }
            #expect(try Store(in: new).owners().isEmpty)
        }
    }

    @Test func `nothing is overwritten`() throws {
        let directory = try broker("old")
        try "mine".write(toFile: file, atomically: false, encoding: .utf8)
        #expect(throws: BrokerError.self) { try Store(in: directory).backUp(to: file, at: now) }
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
    }
}
