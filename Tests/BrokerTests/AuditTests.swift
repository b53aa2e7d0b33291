// SPDX-License-Identifier: Apache-2.0
import Broker
import PinKit
import Testing

@Suite(.eachStore) struct AuditTests {
    let directory: TemporaryDirectory
    let place: String
    let store: Store
    let key: SigningKey
    let chain: AuditChain

    init() throws {
        directory = try TemporaryDirectory()
        place = try StoreKind.current.place(in: directory)
        store = try Store(at: place)
        key = try SigningKey.generate()
        chain = try AuditChain(key: key, store: store, at: 1)
    }

    private static func entry(_ number: Int) -> AuditEntry {
        let failure = FailedPredicate(predicate: "vmpl", expected: "0", actual: "2")
        return AuditEntry(
            at: Int64(number), verdict: Verdict(decision: .refused, reason: "no", failures: [failure]),
            owner: number == 1 ? nil : "owner\(number % 2)", binding: "b\(number)", resource: number == 2 ? "a/b/c" : nil,
            chip: "c", remote: "::1", simulated: number == 3)
    }

    /// Five entries in two transactions; the heads after each.
    private func fill() throws -> [AuditHead] {
        [
            try chain.record((1...3).map(Self.entry), at: 10),
            try chain.record((4...5).map(Self.entry), at: 11),
        ]
    }

    private func problems(_ heads: [AuditHead] = []) throws -> [String] {
        let prefix = "replica \(chain.replica): "
        return try store.verifyAudit(heads: heads, own: nil).problems.map {
            $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : $0
        }
    }

    /// Past what keeps the log from being edited by mistake.
    private func tamper(_ statements: String...) throws {
        try store.drop("audit_keeps", "audit_stays", of: "audit")
        for statement in statements { try store.execute(statement) }
    }

    // MARK: - Listing

    @Test func `entries come back as they went in, the last ones, oldest first`() throws {
        _ = try fill()
        #expect(try store.auditEntries(last: 3) == (3...5).map(Self.entry))
        var filter = AuditFilter()
        filter.owner = "owner1"
        #expect(try store.audit(filter, last: 10).map(\.entry) == [Self.entry(3), Self.entry(5)])
        filter.since = 4
        #expect(try store.audit(filter, last: 10).map(\.entry) == [Self.entry(5)])
        filter.decision = .granted
        #expect(try store.audit(filter, last: 10).isEmpty)
        filter = AuditFilter()
        filter.resource = "a/b/c"
        filter.until = 3
        #expect(try store.audit(filter, last: 10).map(\.entry) == [Self.entry(2)])
    }

    @Test func `what followed is listed once`() throws {
        _ = try fill()
        let later = try store.audit(AuditFilter(), after: [chain.replica: 3], limit: 10)
        #expect(later.map(\.place?.sequence) == [4, 5] && later.allSatisfy { $0.place?.replica == chain.replica })
        #expect(try store.audit(AuditFilter(), after: [chain.replica: 5], limit: 10).isEmpty)
    }

    @Test func `an entry is neither changed nor deleted`() throws {
        _ = try fill()
        for statement in ["UPDATE audit SET decision = 'granted'", "DELETE FROM audit"] {
            let error = #expect(throws: BrokerError.self) { try store.execute(statement) }
            #expect(error?.message == "cannot run a statement: the audit log is append-only")
        }
    }

    // MARK: - The chain

    @Test func `an untouched log verifies, with and without heads`() throws {
        #expect(try problems().isEmpty)
        let heads = try fill()
        #expect(heads.map(\.sequence) == [3, 5])
        let report = try store.verifyAudit(heads: heads, own: chain.replica)
        #expect(report.problems.isEmpty && report.entries == [chain.replica: 5] && report.unchained == 0)
        #expect(try store.auditHeads() == [heads[1]])
    }

    @Test func `a hash is SHA-256 over the hash before it and the entry as it is listed`() throws {
        _ = try fill()
        var previous = [UInt8](repeating: 0, count: 32)
        for recorded in try store.audit(last: 10) {
            var members: JSONObject = [:]
            for member in try recorded.json.object.orThrow("an object").members where member.name != "hash" {
                members[member.name] = member.value
            }
            previous = Digest.sha256(previous + Array(JSON.object(members).canonical.utf8))
            #expect(recorded.json["hash"]?.string == Base64URL.encode(previous))
        }
    }

    /// docs/spec/broker.md §6.1
    @Test func `the specification's entry has the specification's hash`() {
        let entry = AuditEntry(
            at: 1_700_000_000, verdict: Verdict(decision: .granted, reason: ""), remote: "192.0.2.7", simulated: false)
        let hash = AuditChain.hash(
            of: entry, at: AuditPlace(replica: "R", sequence: 1), after: [UInt8](repeating: 0, count: 32))
        #expect(Base64URL.encode(hash) == "CjGlnhNoPP7DV5QD9gIk8vlYgGw-VcLL7d0Fq0v6_ok")
    }

    @Test func `the chain goes on in the next process`() throws {
        _ = try fill()
        let again = try AuditChain(key: key, store: Store(at: place), at: 12)
        #expect(try again.record([Self.entry(6)], at: 12).sequence == 6)
        #expect(try problems().isEmpty)
    }

    @Test func `two replicas have two chains in one store`() throws {
        let other = try AuditChain(key: SigningKey.generate(), store: store, at: 1)
        for number in 1...4 { _ = try (number % 2 == 0 ? chain : other).record([Self.entry(number)], at: 1) }
        let report = try store.verifyAudit(heads: [], own: nil)
        #expect(report.problems.isEmpty && report.entries == [chain.replica: 2, other.replica: 2])
    }

    @Test(arguments: [
        "at = 9", "decision = 'granted'", "owner = NULL", "binding = 'x'", "chip = NULL", "remote = '::2'", "simulated = 1",
        "reason = ''", "reasons = '[]'", "reasons = '['", "resource = 'a/b/d'", "hash = 'AAAA'",
    ])
    func `any change of an entry is found`(change: String) throws {
        _ = try fill()
        try tamper("UPDATE audit SET \(change) WHERE seq = 4")
        #expect(try !problems().isEmpty)
    }

    @Test func `an entry that was taken out is found`() throws {
        _ = try fill()
        try tamper("DELETE FROM audit WHERE seq = 2")
        #expect(try problems() == ["entry 2 is missing"])
    }

    @Test func `what is missing at the start is found`() throws {
        _ = try fill()
        try tamper("DELETE FROM audit WHERE seq <= 2")
        #expect(try problems() == ["entries 1 to 2 are missing"])
    }

    @Test func `a hole that was closed by numbering anew is found`() throws {
        _ = try fill()
        try tamper("DELETE FROM audit WHERE seq = 2", "UPDATE audit SET seq = seq - 1 WHERE seq > 2")
        #expect(try problems().first == "entry 2 was changed, or what is before it")
    }

    @Test func `entries that changed places are found`() throws {
        _ = try fill()
        try tamper(
            "UPDATE audit SET seq = 99 WHERE seq = 2", "UPDATE audit SET seq = 2 WHERE seq = 3",
            "UPDATE audit SET seq = 3 WHERE seq = 99")
        #expect(try problems().first == "entry 2 was changed, or what is before it")
    }

    @Test func `entries that were put in another order of listing are found`() throws {
        _ = try fill()
        try tamper("UPDATE audit SET id = 100 WHERE seq = 2")
        #expect(try problems() == ["entry 3 stands before the one that it follows"])
    }

    @Test func `an end that was cut off is found`() throws {
        let heads = try fill()
        try tamper("DELETE FROM audit WHERE seq > 3")
        #expect(try problems() == ["it was cut off after entry 3: its newest head is of entry 5"])
        // The whole store as it was then.
        try tamper("UPDATE replica SET seq = 3, hash = '\(Base64URL.encode(heads[0].hash))', head = '\(heads[0].compact)'")
        #expect(try problems().isEmpty)
        #expect(try problems(heads) == ["it was cut off after entry 3: a head that was handed out is of entry 5"])
    }

    @Test func `a chain that was written anew without the key is found`() throws {
        let heads = try fill()
        try tamper("DELETE FROM audit", "DELETE FROM replica")
        let forger = try AuditChain(key: SigningKey.generate(), store: store, at: 1)
        _ = try forger.record((1...5).map(Self.entry), at: 11)
        #expect(try problems(heads) == ["replica \(chain.replica) is gone, with all its entries"])
        #expect(try store.verifyAudit(heads: [], own: chain.replica).problems.count == 1)
        try tamper("UPDATE replica SET id = '\(chain.replica)'", "UPDATE audit SET replica = '\(chain.replica)'")
        #expect(try problems() == ["its key is not the one that its name stands for"])
    }

    @Test func `a chain that was written anew with the key does not go through the heads handed out`() throws {
        let heads = try fill()
        try tamper("DELETE FROM audit", "DELETE FROM replica")
        let again = try AuditChain(key: key, store: store, at: 1)
        _ = try again.record((2...7).map(Self.entry), at: 11)
        #expect(try problems().isEmpty)
        #expect(
            try problems(heads)
                == [3, 5].map {
                    "entry \($0) is another than when its head was handed out: it or one before it was changed"
                })
    }

    @Test func `a head that nobody signed is refused`() throws {
        let heads = try fill()
        let parts = heads[1].compact.split(separator: ".")
        let forged = try AuditHead(parsing: parts[0] + "." + parts[1] + "." + heads[0].compact.split(separator: ".")[2])
        #expect(throws: BrokerError("the head of 5 entries is not signed by replica \(chain.replica)")) {
            try problems([forged])
        }
    }

    @Test(arguments: ["", "a.b", "e30.e30.e30", String(repeating: "a", count: 5000)])
    func `what is no head is refused`(text: String) {
        #expect(throws: PinError.self) { try AuditHead(parsing: text) }
    }

    @Test func `an entry that was put in beside the chain is found`() throws {
        _ = try fill()
        try tamper(
            """
            INSERT INTO audit (at, decision, remote, simulated, reason, reasons) VALUES (1, 'granted', '::1', 0, '', '[]')
            """)
        #expect(try problems() == ["1 entries are in no chain, and newer than the chains"])
        try tamper(
            """
            INSERT INTO audit (at, decision, remote, simulated, reason, reasons, replica, seq, hash)
                VALUES (1, 'granted', '::1', 0, '', '[]', 'nobody', 1, 'AAAA')
            """)
        #expect(try problems().last == "there are entries of replica nobody, which nobody knows")
    }

    @Test func `who adds at the same time waits, and no number is given twice`() async throws {
        let chain = chain
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1...40 { group.addTask { _ = try chain.record([Self.entry(number)], at: 1) } }
            try await group.waitForAll()
        }
        let report = try store.verifyAudit(heads: [], own: nil)
        #expect(report.problems.isEmpty && report.entries == [chain.replica: 40])
    }
}

extension Store {
    func auditEntries(last limit: Int) throws -> [AuditEntry] { try audit(last: limit).map(\.entry) }
}
