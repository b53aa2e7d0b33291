// SPDX-License-Identifier: Apache-2.0
public import PinKit

extension TangPin {
    /// Whether the keys with `thumbprints` at `url` are those that an earlier message to the same server trusts, or those that
    /// one of them vouches for: a server that has rotated its keys signs its advertisement with an old one too, when it is asked
    /// for by that one's thumbprint. So trust once given outlives a rotation, and nobody in between can forge it.
    ///
    /// Asks the server only where the keys are new, for at most `seconds`. False for everything that goes wrong.
    public static func succeeds(
        _ message: JWE, url: String, thumbprints: [String], seconds: Int = 10
    ) -> Bool {
        guard message.pin == "tang", message.parameters?["url"]?.string == url,
            let json = message.parameters?["adv"], let known = try? KeySet(json, limit: Advertisement.maximumKeys)
        else { return false }
        // A symmetric key in public signs for anybody.
        let signers = known.keys(for: "verify").filter { ["EC", "RSA"].contains($0["kty"]?.string) }
        return signers.contains { signer in
            guard let id = KeySet.thumbprint(of: signer, .sha256) else { return false }
            return thumbprints.contains(id) || vouches(signer, id, for: thumbprints, at: url, seconds)
        }
    }

    /// Whether `signer` has signed an advertisement of exactly these keys.
    private static func vouches(
        _ signer: JSON, _ id: String, for thumbprints: [String], at url: String, _ seconds: Int
    ) -> Bool {
        let server = TangServer(url: url, deadline: .after(seconds: seconds))
        guard let advertisement = try? server.advertisement(signedBy: id) else { return false }
        return advertisement.isSigned(by: signer) && advertisement.signerThumbprints == thumbprints
    }
}
