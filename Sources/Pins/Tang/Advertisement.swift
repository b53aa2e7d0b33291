// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The keys that a tang server says it has, signed by all of those that sign: a JWS over a key set.
struct Advertisement {
    /// Bytes of one that is fetched or read from a file; two keys take 1 KiB.
    static let maximumLength = 64 << 10
    static let maximumKeys = 32

    let keys: KeySet
    private let signers: [JSON]
    private let message: JSON
    /// Where it came from, for messages.
    private let place: String

    /// `.malformed` for what is no advertisement, `.refused` unless each key for `verify` has signed it.
    init(_ message: JSON, from place: String) throws(PinError) {
        do throws(JSONError) {
            var reader = try JSONReader(message)
            let payload = try reader.base64URL("payload")
            let set = try JSON(parsing: payload, limit: Advertisement.maximumLength)
            keys = try KeySet(set, limit: Advertisement.maximumKeys)
        } catch {
            throw PinError(.malformed, step: "adv", detail: "\(place): not an advertisement: \(error)")
        }
        // A symmetric key in public signs for anybody.
        signers = keys.keys(for: "verify")
        guard !signers.isEmpty, signers.allSatisfy({ $0["kty"]?.string == "EC" || $0["kty"]?.string == "RSA" }) else {
            throw PinError(.malformed, step: "adv", detail: "\(place): no key that signs, or one that is not EC or RSA")
        }
        guard KeySet.all(signers, signed: message) else {
            throw PinError(.refused, step: "adv", detail: "\(place): not signed by every key of it that signs")
        }
        self.place = place
        self.message = message
    }

    /// S256 of each key that signs.
    var signerThumbprints: [String] { thumbprints(.sha256) }

    /// Whether `key`, which need not be one of its own, has signed it too.
    func isSigned(by key: JSON) -> Bool { KeySet.all([key], signed: message) }

    /// `thp` must name a signer, wherever the advertisement came from. Without it, one that was given is trusted, and one
    /// that was fetched is what `trust` says.
    func requireTrust(by configuration: TangConfiguration, or trust: TangPin.TrustDecision) throws(PinError) {
        if let wanted = configuration.thumbprint {
            guard let hash = KeySet.Thumbprint(of: wanted), thumbprints(hash).contains(wanted) else {
                throw PinError(
                    .refused, step: "adv",
                    detail: "\(place): no signing key has thumbprint \(wanted); they have \(list(thumbprints(.sha256)))")
            }
            return
        }
        guard configuration.advertisement == nil else { return }
        let found = signerThumbprints
        guard trust(configuration.url, found) else {
            let first = found.first ?? ""
            throw PinError(
                .refused, step: "adv",
                detail: "\(place): signed by \(list(found)), which nobody has vouched for; compare with "
                    + #"tang-show-keys on the server, then add "thp":"\#(first)" to the configuration"#)
        }
    }

    /// The first key for `deriveKey`, and the thumbprint that names it.
    func exchangeKey() throws(PinError) -> (key: CurvePoint, id: String) {
        guard let jwk = keys.keys(for: "deriveKey").first, let id = KeySet.thumbprint(of: jwk, .sha256) else {
            throw PinError(.malformed, step: "adv", detail: "\(place): no key to exchange keys with")
        }
        do throws(JSONError) {
            return (try CurvePoint(jwk: jwk), id)
        } catch {
            throw PinError(.malformed, step: "adv", detail: "\(place): the key to exchange keys with: \(error)")
        }
    }

    private func thumbprints(_ hash: KeySet.Thumbprint) -> [String] {
        signers.compactMap { KeySet.thumbprint(of: $0, hash) }
    }

    private func list(_ thumbprints: [String]) -> String { thumbprints.joined(separator: ", ") }
}
