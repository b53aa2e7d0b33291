// SPDX-License-Identifier: Apache-2.0
import Attestation
import Broker
import BrokerProtocol
import PinKit
import TEESimulator
import Testing

@Suite(.eachStore) struct ReferenceValuesTests {
    let stage: Stage

    init() throws { stage = try Stage() }

    private static let policy: JSON = ["reference": "root-image"]

    /// A set that the default simulated guest meets, signed by the enrolled owner where nobody else is given.
    private func set(
        version: Int64 = 1, measurement: [UInt8] = SNPSettings.defaultMeasurement, days: Int64 = 100,
        by owner: SigningKey? = nil
    ) throws -> String {
        let set = try ReferenceSet(json: [
            "name": "root-image", "version": .integer(version), "iat": .integer(stage.now - 200 * 86_400),
            "exp": .integer(stage.now + days * 86_400), "covers": ["firmware", "kernel", "initrd", "cmdline"],
            "snp": ["measurement": [.string(Base64URL.encode(measurement))]],
        ])
        return try SignedReferenceSet(set, signedBy: owner ?? stage.owner).compact
    }

    private func opens(_ envelope: Envelope) throws -> Bool {
        try stage.open(stage.unseal(stage.request([envelope.message.compact]))[0], answering: envelope) == stage.share
    }

    private static let other = [UInt8](repeating: 0xAB, count: 48)

    // MARK: - Judging

    @Test func `a new kernel takes a new set and no new binding`() throws {
        let envelope = try stage.envelope(policy: Self.policy)
        try stage.store.add(references: set(measurement: Self.other), at: stage.now)
        #expect(try stage.denial(of: envelope).reason.contains("measurement is"))
        try stage.store.add(references: set(version: 2), at: stage.now)
        #expect(try opens(envelope))
    }

    @Test func `without the set nothing is opened`() throws {
        let denial = try stage.denial(of: stage.envelope(policy: Self.policy))
        #expect(denial.code == .refused && denial.reason.contains("reference is unknown"))
    }

    @Test func `another owner's set of that name does not count`() throws {
        let mallory = try SigningKey.generate()
        try stage.store.enrol("mallory", mallory.publicKey, at: stage.now)
        try stage.store.add(references: set(by: mallory), at: stage.now)
        #expect(try stage.denial(of: stage.envelope(policy: Self.policy)).reason.contains("reference is unknown"))
    }

    @Test func `a set that has expired opens nothing, and one that is about to says so in the log`() throws {
        let envelope = try stage.envelope(policy: Self.policy)
        try stage.store.add(references: set(days: 10), at: stage.now)
        #expect(try opens(envelope))
        let entry = try stage.store.auditEntries(last: 1).first.orThrow("an entry")
        #expect(entry.verdict.decision == .granted && entry.verdict.reason.contains("expire in 10 days"))
        try stage.store.add(references: set(version: 2, days: -1), at: stage.now - 2 * 86_400)
        #expect(try stage.denial(of: envelope).reason.contains("version 2, expired on"))
    }

    @Test func `a set that was changed in the database opens nothing`() throws {
        try stage.store.add(references: set(), at: stage.now)
        let forged = try set(version: 2, by: SigningKey.generate()).split(separator: ".")
        let genuine = try set(version: 2).split(separator: ".")
        try stage.store.execute(
            "UPDATE reference_set SET version = 2, text = '\(genuine[0]).\(genuine[1]).\(forged[2])'")
        let denial = try stage.denial(of: stage.envelope(policy: Self.policy))
        #expect(denial.code == .unavailable && denial.reason.contains("the stored reference values are damaged"))
    }

    // MARK: - Keeping

    @Test func `a version below the highest that was seen is refused, also after the owner was removed`() throws {
        let key = stage.owner.publicKey
        try stage.store.add(references: set(version: 5), at: stage.now)
        for version in [1, 4, 5] as [Int64] {
            #expect(throws: BrokerError.self) {
                try stage.store.add(references: set(version: version, measurement: Self.other), at: stage.now)
            }
        }
        try stage.store.remove(owner: "alice")
        try stage.store.enrol("alice", key, at: stage.now)
        let error = #expect(throws: BrokerError.self) { try stage.store.add(references: set(version: 4), at: stage.now) }
        #expect(
            error?.message == "reference values root-image version 4 are not newer than root-image version 5, which is here")
        #expect(try stage.store.references().map(\.version) == [5])
    }

    @Test func `the database itself keeps an older version out`() throws {
        try stage.store.add(references: set(version: 5), at: stage.now)
        for statement in ["UPDATE reference_set SET version = 4", "DELETE FROM reference_set"] {
            #expect(throws: BrokerError.self) { try stage.store.execute(statement) }
        }
    }

    @Test func `the same set may be added again`() throws {
        let text = try set()
        try stage.store.add(references: "\n \(text)\n", at: stage.now)
        try stage.store.add(references: text, at: stage.now + 5)
        #expect(try stage.store.references().map(\.addedAt) == [stage.now])
    }

    @Test func `who is not enrolled has no say, and neither has what does not verify or has expired`() throws {
        let stranger = try set(by: SigningKey.generate())
        #expect(throws: BrokerError.self) { try stage.store.add(references: stranger, at: stage.now) }
        let parts = try set().split(separator: ".")
        let forged = "\(parts[0]).\(parts[1]).\(stranger.split(separator: ".")[2])"
        let error = #expect(throws: BrokerError.self) { try stage.store.add(references: forged, at: stage.now) }
        #expect(error?.message.contains("refused: reference values: the signature is not") == true)
        #expect(throws: BrokerError.self) { try stage.store.add(references: set(days: 0), at: stage.now) }
        #expect(throws: BrokerError.self) { try stage.store.add(references: "no set", at: stage.now) }
        #expect(try stage.store.references().isEmpty)
    }

    @Test func `a list says whose they are and when they end`() throws {
        try stage.store.add(references: set(days: 3), at: stage.now)
        let listed = try stage.store.references().first.orThrow("a set")
        #expect(listed.ownerName == "alice" && listed.owner == stage.owner.publicKey.thumbprint)
        #expect(listed.name == "root-image" && listed.expiresAt == stage.now + 3 * 86_400)
        #expect(listed.warning(at: stage.now)?.contains("expire in 3 days") == true)
        try stage.store.remove(owner: "alice")
        #expect(try stage.store.references().map(\.ownerName) == [nil])
    }
}
