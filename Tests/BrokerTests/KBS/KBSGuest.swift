// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import PinKit
import TEESimulator

/// A client of the KBS protocol on the simulated platform.
struct KBSGuest {
    let stage: Stage
    var version = KBSVersion.v0_4_0
    var tee: SimulatedTEE = .snp(SNPSettings())
    /// TOML, of which 0.4.0 sends the text.
    var initData: String?

    private var platform: Platform { if case .tdx = tee { .tdx } else { .snp } }

    /// A nonce, with the cookie of the session.
    func begin(at moment: Int64? = nil) throws -> (nonce: String, cookie: String) {
        let challenge = try stage.unsealer.challenge(at: moment ?? stage.now)
        let request = try AuthRequest([
            "version": .string(version.rawValue), "tee": .string(platform.rawValue), "extra-params": "",
        ])
        return (challenge.nonce, try stage.unsealer.resources.begin(request, challenge, at: moment ?? stage.now))
    }

    var key: JSON {
        [
            "kty": "EC", "crv": "P-256", "alg": "ECDH-ES+A256KW", "x": .string(Base64URL.encode(stage.guest.publicKey.x)),
            "y": .string(Base64URL.encode(stage.guest.publicKey.y)),
        ]
    }

    /// The message for `nonce`; with evidence for `reported` where that is another.
    func message(
        _ nonce: String, evidenceFor reported: String? = nil, additional: String = "", withoutCertificates: Bool = false
    ) throws -> [UInt8] {
        var covered: JSONObject = ["nonce": .string(reported ?? nonce), "tee-pubkey": key]
        if version == .v0_4_0 { covered["additional-evidence"] = .string(additional) }
        let data = Digest.sha384(Array(JSON.object(covered).canonical.utf8)) + [UInt8](repeating: 0, count: 16)
        let evidence = try SimulatedGuest(key: stage.guest).evidence(of: tee, over: data, [], withoutCertificates)
        let message: JSON =
            version == .v0_4_0
            ? [
                "init-data": initData.map { ["format": "toml", "body": .string($0)] } ?? .null,
                "runtime-data": ["nonce": .string(nonce), "tee-pubkey": key],
                "tee-evidence": ["primary_evidence": evidence, "additional_evidence": .string(additional)],
            ] : ["tee-pubkey": key, "tee-evidence": evidence]
        return Array(message.canonical.utf8)
    }

    func attest(at moment: Int64? = nil) throws -> (token: String, cookie: String) {
        let (nonce, cookie) = try begin(at: moment)
        return try stage.unsealer.resources.attest(
            message(nonce), cookie: cookie, from: stage.remote, at: moment ?? stage.now)
    }

    /// What the guest has in the end.
    func open(_ released: Released) throws -> [UInt8] {
        let message = try JWE(flattened: JSON(parsing: released.body))
        let content = try message.open(with: stage.guest)
        return unsafe content.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}

extension Stage {
    static let resourcePolicy: JSON = ["snp": policy]

    @discardableResult
    func store(
        _ content: [UInt8]? = nil, at path: String = "default/disk/root", policy: JSON = Stage.resourcePolicy,
        owner: String = "alice"
    ) throws -> StoredResource {
        try store.set(
            SecretBytes(copyingPublic: content ?? share), at: ResourcePath(path), owner: owner, policy: policy,
            sealedBy: ResourceSealer(resources), now: now)
    }

    func release(
        _ credential: ResourceDesk.Credential?, path: String = "default/disk/root", at moment: Int64? = nil
    ) throws -> Released {
        try unsealer.resources.release(path, to: credential, from: remote, at: moment ?? now)
    }

    /// Why a request got nothing.
    func rejection(_ body: () throws -> Void) throws -> Rejection {
        do {
            try body()
        } catch let rejection as Rejection {
            return rejection
        }
        throw Missing(what: "a rejection")
    }
}
