// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// The broker's answer to one envelope: the share, encrypted to the key that the guest's evidence vouches for.
///
/// Header member `envelope` says which envelope it answers. It is no proof of who wrote it: that is TLS's part, and a share that
/// is not the right one opens no volume (docs/spec/envelope.md §4).
public enum Answer {
    /// Bytes of compact text: far more than the header, one share of the greatest length and their encoding take.
    public static let maximumLength = 4 << 10

    public static func seal(
        _ share: borrowing SecretBytes, to guest: PublicKey, answering envelope: Envelope
    ) throws(PinError) -> JWE {
        let name = Base64URL.encode(envelope.message.digest)
        return try JWE.Draft(to: guest, header: ["envelope": .string(name)]).seal(share)
    }

    /// The share. `.refused` when the answer is to another envelope or another key, or was changed.
    public static func open(
        _ message: JWE, with key: AgreementKey, answering envelope: Envelope
    ) throws(PinError) -> SecretBytes {
        let names = ["alg", "enc", "envelope", "epk", "kid"]
        guard message.header.names.sorted() == names else {
            throw PinError(
                .malformed, step: "read an answer",
                detail: "its header does not hold exactly \(names.joined(separator: ", "))")
        }
        guard message.header["envelope"]?.string == Base64URL.encode(envelope.message.digest) else {
            throw PinError(.refused, step: "read an answer", detail: "it answers another envelope")
        }
        let share = try message.open(with: key)
        guard Envelope.shareCount.contains(share.count) else {
            throw PinError(.malformed, step: "read an answer", detail: "it holds no share")
        }
        return share
    }
}
