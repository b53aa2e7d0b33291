// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A share for a guest, sealed by its owner to a broker: the JWE that an attested pin leaves in a token.
///
/// The broker needs nothing but its private key and the owner's public key to judge it (docs/spec/envelope.md §1).
public struct Envelope: Sendable {
    /// Limit on the compact text: a policy of some dozen measurements fits with room to spare.
    public static let maximumLength = 8 << 10
    /// Bytes of a share.
    public static let shareCount = 1...1024
    static let signatureCount = 64

    public let message: JWE
    public let header: EnvelopeHeader

    /// Reads the header; `.malformed` unless it is exactly what the specification writes. No cryptography.
    public init(_ message: JWE) throws(PinError) {
        let shares = Envelope.shareCount
        guard (shares.lowerBound...shares.upperBound).contains(message.ciphertext.count - Envelope.signatureCount) else {
            throw Envelope.malformed("its content is not a share of \(shares.lowerBound) to \(shares.upperBound) bytes")
        }
        guard message.compact.utf8.count <= Envelope.maximumLength else { throw Envelope.tooLong }
        self.message = message
        self.header = try EnvelopeHeader(of: message)
    }

    public init(compact text: String) throws(PinError) {
        guard text.utf8.count <= Envelope.maximumLength else { throw Envelope.tooLong }
        try self.init(try JWE(compact: text))
    }

    /// Encrypts `share` to the broker and signs it, with its terms, as the owner. `brokerKeyID` and `owner` of the header are
    /// the two keys' thumbprints, whatever the caller knows.
    public static func seal(
        _ share: borrowing SecretBytes, to broker: PublicKey, by owner: SigningKey, platform: Platform, id: String,
        issuedAt: Int64, policy: JSON, tls: [UInt8]?, url: BrokerURL
    ) throws(PinError) -> Envelope {
        guard shareCount.contains(share.count) else {
            throw PinError(
                .malformed, step: "seal",
                detail: "\(share.count) bytes; an envelope holds \(shareCount.lowerBound) to \(shareCount.upperBound)")
        }
        let header = EnvelopeHeader(
            platform: platform, brokerKeyID: broker.thumbprint, id: id, issuedAt: issuedAt,
            owner: owner.publicKey.thumbprint, policy: policy, tls: tls, url: url)
        let draft = try JWE.Draft(to: broker, header: header.members)
        let signature = try owner.sign(statement(protected: draft.protected, share: share))
        return try Envelope(draft.seal(share.appending(SecretBytes(copyingPublic: signature))))
    }

    /// Decrypts with the broker's key. `.refused` when it is not the recipient's or any part was changed.
    ///
    /// What comes back is not yet known to be the owner's: see ``OpenedEnvelope``.
    public func open(with key: AgreementKey) throws(PinError) -> OpenedEnvelope {
        let content = try message.open(with: key)
        let split = content.count - Envelope.signatureCount
        guard Envelope.shareCount.contains(split), let share = content.slice(0..<split),
            let tail = content.slice(split..<content.count)
        else { throw Envelope.malformed("its content is no share with a signature") }
        return OpenedEnvelope(
            header: header, protected: message.protected, signature: unsafe tail.withUnsafeBytes { unsafe [UInt8]($0) },
            share: share)
    }

    /// What the owner signs: label, header and share, so that neither serves under the other.
    static func statement(protected: String, share: borrowing SecretBytes) -> SecretBytes {
        let prefix = Array("cvm-clevis envelope v1".utf8) + [0] + Array(protected.utf8) + [0]
        return SecretBytes(copyingPublic: prefix).appending(share)
    }

    static func malformed(_ detail: String) -> PinError { PinError(.malformed, step: "read an envelope", detail: detail) }

    private static var tooLong: PinError { malformed("longer than \(maximumLength) characters") }
}

/// An envelope that the broker's key opened and whose signature nobody has checked yet. The share is given only against the
/// owner's public key, so that forgetting the check is not possible.
public struct OpenedEnvelope: ~Copyable, Sendable {
    public let header: EnvelopeHeader
    private let protected: String
    private let signature: [UInt8]
    private let share: SecretBytes

    init(header: EnvelopeHeader, protected: String, signature: [UInt8], share: consuming SecretBytes) {
        self.header = header
        self.protected = protected
        self.signature = signature
        self.share = share
    }

    /// The share, if `owner` is the key that the header names and it signed this header with this share; else `.refused`.
    public consuming func share(signedBy owner: PublicKey) throws(PinError) -> SecretBytes {
        guard owner.thumbprint == header.owner else {
            throw PinError(.refused, step: "owner", detail: "the envelope is \(header.owner)'s, not \(owner.thumbprint)'s")
        }
        guard owner.verifies(signature, over: Envelope.statement(protected: protected, share: share)) else {
            throw PinError(.refused, step: "owner's signature", detail: "not \(header.owner)'s over this header and share")
        }
        return share
    }
}
