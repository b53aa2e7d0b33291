// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A secret that comes back where a tang server can be reached: on the right network.
///
/// Wire-compatible with clevis' `tang` in both directions. The server never learns the secret, nor which of its clients
/// asks, and keeps nothing (McCallum and Relyea's exchange); so plain http is safe once the server's keys are trusted.
/// Configuration: `{"url":"…","thp":"…"?,"adv":{…}|"FILE"?}`. Format and exchange: docs/spec/pins.md §4.
public struct TangPin: Pin {
    /// Asked about the keys of a server that neither `thp` nor `adv` vouches for: its url and the S256 thumbprint of each key
    /// that signs. Anybody on the way could have put theirs there, so only who knows the thumbprints may say yes.
    public typealias TrustDecision = @Sendable (_ url: String, _ thumbprints: [String]) -> Bool

    public let name = "tang"
    private let trust: TrustDecision

    /// - Parameter trust: for programs that can ask a person; by default nobody is trusted without `thp` or `adv`.
    public init(trust: @escaping TrustDecision = TangPin.trustNobody) { self.trust = trust }

    public static let trustNobody: TrustDecision = { _, _ in false }

    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        let configuration = try TangConfiguration(configuration)
        if configuration.advertisement == nil { TangServer.prepare(url: configuration.url) }
        return TangEncryptor(configuration: configuration, trust: trust)
    }

    /// Asks the server once. What it sees is a random point.
    public func decrypt(_ message: JWE, in run: Run) throws(PinError) -> SecretBytes {
        // It gets ready while everything is computed that needs no answer.
        let server = TangServer(url: try TangHeader.url(of: message), deadline: run.deadline)
        let header = try TangHeader(message)
        let ephemeral = try message.ephemeralPoint()
        let blinding = try OneTimeKey.generate(on: ephemeral.curve)
        let blinded = try blinding.blind(ephemeral)
        let mask = try blinding.multiply(header.serverKey)
        let answer = try server.recover(blinded, with: header.keyID)
        let shared: SecretPoint
        do throws(PinError) {
            shared = try mask.subtracted(from: answer)
        } catch {
            throw PinError(error.code, step: "rec", detail: "\(header.url): \(error.detail)")
        }
        return try message.open(agreed: shared)
    }
}

private struct TangEncryptor: Encryptor {
    /// For one request while a person waits.
    private static let timeout = 10

    let configuration: TangConfiguration
    let trust: TangPin.TrustDecision

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        let advertisement = try advertisement()
        try advertisement.requireTrust(by: configuration, or: trust)
        let (key, keyID) = try advertisement.exchangeKey()
        let parameters: JSON = ["adv": advertisement.keys.json, "url": .string(configuration.url)]
        return try JWE.encrypt(
            secret, agreeingWith: key, header: ["clevis": ["pin": "tang", "tang": parameters], "kid": .string(keyID)])
    }

    private func advertisement() throws(PinError) -> Advertisement {
        if let given = configuration.advertisement { return try Advertisement(given, from: "the configuration's adv") }
        let server = TangServer(url: configuration.url, deadline: .after(seconds: TangEncryptor.timeout))
        let advertisement = try server.advertisement(signedBy: configuration.thumbprint)
        // To whoever tries at once whether the message opens.
        server.handOver()
        return advertisement
    }
}
