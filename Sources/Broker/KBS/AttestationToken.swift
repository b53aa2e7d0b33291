// SPDX-License-Identifier: Apache-2.0
internal import Attestation
internal import BrokerProtocol
internal import PinKit
internal import TEE

/// An EAR, as a signed JWT (ES256): that this broker found evidence genuine. It says of the platform that it is, and of what
/// runs on it nothing but its measurements: whether anybody wants those, a resource's policy says.
struct AttestationToken {
    /// Far more than one takes with an RSA key and everything about a TDX guest.
    static let maximumLength = 16 << 10

    private static let header: JSONObject = ["alg": "ES256", "typ": "JWT"]
    private static let sessionClaim = "cvm-clevis-session"

    let session: Session.Attested
    let nonce: String

    func signed(_ key: SigningKey, _ sealer: Sealer, at now: Int64) throws(PinError) -> String {
        var header = Self.header
        header["jwk"] = key.publicKey.jwk
        var claims = claims
        claims["iat"] = .integer(now)
        claims["exp"] = .integer(session.expiresAt)
        claims[Self.sessionClaim] = .string(try session.sealed(sealer))
        let parts = [header, claims].map { Base64URL.encode(Array(JSON.object($0).canonical.utf8)) }
        let text = parts.joined(separator: ".")
        return text + "." + Base64URL.encode(try key.sign(Array(text.utf8)))
    }

    /// The sealed session in a token that `key` signed; nil in any other.
    static func session(in token: String, _ key: PublicKey) -> String? {
        guard token.utf8.count <= maximumLength else { return nil }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let signature = Base64URL.decode(parts[2]),
            let header = Base64URL.decode(parts[0]).flatMap({ try? JSON(parsing: $0) }), header["alg"] == "ES256",
            key.verifies(signature, over: Array("\(parts[0]).\(parts[1])".utf8)), let claims = Base64URL.decode(parts[1])
        else { return nil }
        return (try? JSON(parsing: claims))?[sessionClaim]?.string
    }

    private var claims: JSONObject {
        let tiers = trustworthiness
        var evidence: JSONObject = [
            "report_data": .string(Hex.encode(session.evidence.reportData)),
            "runtime_data_claims": ["nonce": .string(nonce), "tee-pubkey": session.key.jwk],
        ]
        switch session.evidence {
        case .snp(let genuine):
            evidence["snp"] = .object(Self.claims(of: genuine.report))
            evidence["init_data"] = .string(Hex.encode(genuine.report.hostData))
        case .tdx(let genuine):
            evidence["tdx"] = .object(Self.claims(of: genuine))
            evidence["init_data"] = .string(Hex.encode(genuine.report.mrConfigID))
        }
        return [
            "eat_profile": "tag:github.com,2024:confidential-containers/Trustee",
            "ear.verifier-id": ["build": .string("cvm-clevis-broker \(programVersion)"), "developer": "cvm-clevis"],
            "submods": [
                "cpu0": [
                    "ear.appraisal-policy-id": "default", "ear.status": .string(tiers.status),
                    "ear.trustworthiness-vector": .object(tiers.vector),
                    "ear.veraison.annotated-evidence": .object(evidence),
                ]
            ],
        ]
    }

    /// In AR4SI's tiers: 2 affirms, 32 warns, 97 is against it. What was not looked at has 0.
    private var trustworthiness: (status: String, vector: JSONObject) {
        let hardware: Int64
        switch session.evidence {
        case .snp(let genuine): hardware = genuine.isSimulated ? 97 : 2
        case .tdx(let genuine): hardware = genuine.isSimulated ? 97 : genuine.tcbStatus == .upToDate ? 2 : 32
        }
        var vector: JSONObject = ["hardware": .integer(hardware)]
        for name in [
            "configuration", "executables", "file-system", "instance-identity", "runtime-opaque", "sourced-data",
            "storage-opaque",
        ] { vector[name] = 0 }
        return (hardware == 2 ? "affirming" : hardware == 32 ? "warning" : "contraindicated", vector)
    }

    private static func claims(of report: SNPReport) -> JSONObject {
        let policy = report.guestPolicy
        return [
            "chip_id": .string(Hex.encode(report.chipID)), "host_data": .string(Hex.encode(report.hostData)),
            "id_key_digest": .string(Hex.encode(report.idKeyDigest)),
            "measurement": .string(Hex.encode(report.measurement)),
            "policy_abi_major": .integer(Int64(policy.abiMajor)), "policy_abi_minor": .integer(Int64(policy.abiMinor)),
            "policy_debug_allowed": .bool(policy.contains(.debug)), "policy_migrate_ma": .bool(policy.contains(.migrate)),
            "policy_smt_allowed": .bool(policy.contains(.smt)), "reported_tcb": .string(report.reportedTCB.hex),
            "vmpl": .integer(Int64(report.vmpl)),
        ]
    }

    private static func claims(of evidence: GenuineTDX) -> JSONObject {
        let report = evidence.report
        var body: JSONObject = [
            "mr_config_id": .string(Hex.encode(report.mrConfigID)), "mr_owner": .string(Hex.encode(report.mrOwner)),
            "mr_owner_config": .string(Hex.encode(report.mrOwnerConfig)), "mr_seam": .string(Hex.encode(report.mrSEAM)),
            "mr_td": .string(Hex.encode(report.mrTD)),
        ]
        for (index, register) in report.rtmrs.enumerated() { body["rtmr_\(index)"] = .string(Hex.encode(register)) }
        return [
            "advisory_ids": .array(evidence.advisories.map { .string($0) }), "quote": ["body": .object(body)],
            "tcb_status": .string(evidence.tcbStatus.rawValue),
        ]
    }
}
