// SPDX-License-Identifier: Apache-2.0
import Broker
import BrokerProtocol
import Foundation
import PinKit
import TEESimulator

/// A guest on the simulated platform, as far as a broker sees it.
struct SimulatedGuest {
    let key: AgreementKey

    /// The request that the guest makes. `evidenceFor`: the envelopes that the report data names, where they are others;
    /// `flipping`: offsets of bytes that change after the report is signed.
    func request(
        _ envelopes: [String], to broker: PublicKey, nonce: String, evidenceFor named: [String]? = nil,
        tee: SimulatedTEE = .snp(SNPSettings()), flipping: [Int] = [], withoutCertificates: Bool = false
    ) throws -> UnsealRequest {
        let platform = try platform(of: tee)
        let data = ReportData.digest(
            broker: broker.thumbprint, envelopes: (named ?? envelopes).map { Digest.sha256(Array($0.utf8)) }, nonce: nonce,
            tee: platform, guestKey: key.publicKey)
        return try UnsealRequest([
            "tee": .string(platform.rawValue), "envelopes": .array(envelopes.map { .string($0) }),
            "evidence": try evidence(of: tee, over: data, flipping, withoutCertificates),
            "runtime-data": [
                "nonce": .string(nonce),
                "tee-pubkey": [
                    "alg": "ECDH-ES+A256KW", "crv": "P-256", "kty": "EC", "x": .string(Base64URL.encode(key.publicKey.x)),
                    "y": .string(Base64URL.encode(key.publicKey.y)),
                ],
            ],
        ])
    }

    private func platform(of tee: SimulatedTEE) throws -> Platform {
        switch tee {
        case .snp: .snp
        case .tdx: .tdx
        case .none: throw Missing(what: "a TEE")
        }
    }

    func evidence(of tee: SimulatedTEE, over data: [UInt8], _ flipping: [Int] = [], _ isBare: Bool = false) throws -> JSON {
        switch tee {
        case .snp(let settings):
            let chip = try SimulatedSNP(settings)
            return [
                "report": .string(Base64.encode(try chip.report(for: data, flipping: flipping))),
                "certificates": .string(Base64.encode(isBare ? [] : chip.certificates)),
            ]
        case .tdx(let settings):
            return ["quote": .string(Base64.encode(try SimulatedTDX(settings).quote(over: data, flipping: flipping)))]
        case .none: throw Missing(what: "a TEE")
        }
    }

    /// A directory as `serve --trust-simulator` takes it, with collateral in a directory of its own inside.
    static func writeTrust(to directory: String) throws {
        let collateral = directory + "/collateral"
        try FileManager.default.createDirectory(atPath: collateral, withIntermediateDirectories: true)
        for (name, text) in SimulatedTrust.files {
            try text.write(toFile: "\(directory)/\(name)", atomically: false, encoding: .utf8)
        }
        for (name, content) in try SimulatedCollateral(at: systemSeconds()).files {
            try Data(content).write(to: URL(fileURLWithPath: "\(collateral)/\(name)"))
        }
    }
}
