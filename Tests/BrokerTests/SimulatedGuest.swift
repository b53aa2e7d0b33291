// SPDX-License-Identifier: Apache-2.0
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
        settings: SNPSettings = SNPSettings(), flipping: [Int] = []
    ) throws -> UnsealRequest {
        let data = ReportData.digest(
            broker: broker.thumbprint, envelopes: (named ?? envelopes).map { Digest.sha256(Array($0.utf8)) }, nonce: nonce,
            tee: .snp, guestKey: key.publicKey)
        let chip = try SimulatedSNP(settings)
        return try UnsealRequest([
            "tee": "snp", "envelopes": .array(envelopes.map { .string($0) }),
            "evidence": [
                "report": .string(Base64.encode(try chip.report(for: data, flipping: flipping))),
                "certificates": .string(Base64.encode(chip.certificates)),
            ],
            "runtime-data": [
                "nonce": .string(nonce),
                "tee-pubkey": [
                    "alg": "ECDH-ES+A256KW", "crv": "P-256", "kty": "EC", "x": .string(Base64URL.encode(key.publicKey.x)),
                    "y": .string(Base64URL.encode(key.publicKey.y)),
                ],
            ],
        ])
    }

    /// A directory as `serve --trust-simulator` takes it.
    static func writeTrust(to directory: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try SimulatedTrust.arkPEM.write(toFile: directory + "/ark.pem", atomically: false, encoding: .utf8)
        try SimulatedTrust.askPEM.write(toFile: directory + "/ask.pem", atomically: false, encoding: .utf8)
    }
}
