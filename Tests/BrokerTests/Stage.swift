// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import Foundation
import PinKit
import TEESimulator

/// A broker without a socket that believes the simulator, an enrolled owner, and a guest with simulated evidence.
final class Stage {
    let scratch: TemporaryDirectory
    let broker: AgreementKey
    let store: Store
    let owner: SigningKey
    let token: SigningKey
    let resources: Sealer
    let guest: AgreementKey
    let unsealer: Unsealer
    let audit: AuditChain
    let keys: KeyRing
    private let check: EvidenceCheck
    private let floors: MinimumTCB
    let now = systemSeconds()
    let remote = "192.0.2.7"
    /// What an envelope of the stage protects; distinct enough to be searched for.
    let share = Array("a share that nobody may see ".utf8) + (0..<16)

    /// `revocations`: lists that the broker is started with; `keyService`: where it asks for VCEKs.
    init(
        floors: [String] = [], trustsSimulator: Bool = true, hasCollateral: Bool = true, revocations: [[UInt8]] = [],
        keyService: String? = nil
    ) throws {
        scratch = try TemporaryDirectory()
        broker = try AgreementKey.generate()
        store = try Store(at: StoreKind.current.place(in: scratch))
        owner = try SigningKey.generate()
        token = try SigningKey.generate()
        resources = try Sealer(key: .random(count: 32))
        guest = try AgreementKey.generate()
        try store.enrol("alice", owner.publicKey, at: now)
        let trust = scratch.path + "/trust"
        try SimulatedGuest.writeTrust(to: trust)
        let lists = revocations.indices.map { "\(trust)/list\($0).crl" }
        for (path, list) in zip(lists, revocations) { try Data(list).write(to: URL(fileURLWithPath: path)) }
        let auditKey = try SigningKey.generate()
        keys = KeyRing(
            fixed: BrokerKeys(
                envelopes: KeyGenerations(current: broker), nonces: KeyGenerations(current: try SecretBytesBox().sealer()),
                sessions: KeyGenerations(current: try Sealer(key: .random(count: 32))),
                tokens: KeyGenerations(current: token), resources: resources, audit: auditKey))
        var check = try EvidenceCheck(
            simulatorTrust: trustsSimulator ? trust : nil,
            collateral: trustsSimulator && hasCollateral ? [trust + "/collateral"] : [], revocationLists: lists)
        if let keyService { check = check.searching(store, try AMDKeyService(keyService), metrics: Metrics()) }
        self.check = check
        self.floors = try MinimumTCB(floors)
        audit = try AuditChain(key: auditKey, store: store, at: now)
        unsealer = Unsealer(keys: keys, evidence: check, floors: self.floors, store: store, audit: audit)
    }

    /// Another broker with the same store and the same keys, or those of `keys`.
    func replica(_ keys: KeyRing? = nil) -> Unsealer {
        Unsealer(keys: keys ?? self.keys, evidence: check, floors: floors, store: store, audit: audit)
    }

    /// What a default simulated guest fulfils.
    static let policy: JSON = policy(measurement: SNPSettings.defaultMeasurement)

    static func policy(measurement: [UInt8], _ more: JSONObject = [:]) -> JSON {
        var members: JSONObject = [
            "covers": ["firmware", "kernel", "initrd", "cmdline"],
            "measurement": [.string(Base64URL.encode(measurement))],
        ]
        for member in more.members { members[member.name] = member.value }
        return .object(members)
    }

    func envelope(
        by owner: SigningKey? = nil, to broker: PublicKey? = nil, platform: Platform = .snp, policy: JSON = Stage.policy,
        issuedAt: Int64? = nil
    ) throws -> Envelope {
        try Envelope.seal(
            SecretBytes(copyingPublic: share), to: broker ?? self.broker.publicKey, by: owner ?? self.owner,
            platform: platform, id: Base64URL.encode(Random.bytes(16)), issuedAt: issuedAt ?? now, policy: policy, tls: nil,
            url: BrokerURL("https://broker.example"))
    }

    /// See ``SimulatedGuest``; with a fresh nonce where none is given.
    func request(
        _ envelopes: [String], nonce: String? = nil, evidenceFor named: [String]? = nil,
        tee: SimulatedTEE = .snp(SNPSettings()), flipping: [Int] = [], withoutCertificates: Bool = false
    ) throws -> UnsealRequest {
        try SimulatedGuest(key: guest).request(
            envelopes, to: broker.publicKey, nonce: nonce ?? unsealer.challenge(at: now).nonce, evidenceFor: named,
            tee: tee, flipping: flipping, withoutCertificates: withoutCertificates)
    }

    func unseal(_ request: UnsealRequest, at moment: Int64? = nil) throws -> [UnsealResponse.Result] {
        try unsealer.unseal(request, from: remote, at: moment ?? now).response.results
    }

    /// Asks for one envelope and returns why it stayed closed.
    func denial(of envelope: Envelope, tee: SimulatedTEE = .snp(SNPSettings())) throws -> UnsealResponse.Denial {
        try denial(of: envelope.message.compact, tee: tee)
    }

    func denial(of envelope: String, tee: SimulatedTEE = .snp(SNPSettings())) throws -> UnsealResponse.Denial {
        guard case .denied(let denial) = try unseal(request([envelope], tee: tee)).first else {
            throw Missing(what: "a denial")
        }
        return denial
    }

    /// The share in an answer, as the guest gets it.
    func open(_ result: UnsealResponse.Result, answering envelope: Envelope) throws -> [UInt8] {
        guard case .answer(let message) = result else { throw Missing(what: "an answer, not \(result)") }
        let share = try Answer.open(message, with: guest, answering: envelope)
        return unsafe share.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}
