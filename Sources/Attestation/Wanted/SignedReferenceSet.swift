// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A reference-value set under its owner's signature: a JWS (RFC 7515) in compact form, ES256, with nothing in it that could
/// be written in two ways (docs/spec/reference-values.md §2).
public struct SignedReferenceSet: Sendable, Equatable {
    /// The text as it is kept and passed on.
    public let compact: String
    /// Thumbprint of the key that the header says signed it.
    public let owner: String
    /// What it says. Nobody's word until ``verified(by:)``.
    public let unverified: ReferenceSet
    private let signature: [UInt8]

    /// A set of some hundred measurements has 10 KB.
    public static let maximumLength = 64 << 10

    /// Reads the text, and leaves open whether the signature is anybody's. Throws `.malformed`.
    public init(parsing compact: String) throws(PinError) {
        guard compact.utf8.count <= Self.maximumLength else {
            throw Self.malformed("\(compact.utf8.count) characters are more than \(Self.maximumLength)")
        }
        let parts = compact.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let signature = Base64URL.decode(parts[2]), signature.count == 64 else {
            throw Self.malformed("not a JWS: three parts of base64url with dots between them, the last of 64 bytes")
        }
        self.compact = compact
        self.signature = signature
        self.owner = try Self.owner(inHeader: parts[0])
        do throws(JSONError) {
            self.unverified = try ReferenceSet(json: Self.canonicalJSON(parts[1]))
        } catch {
            throw Self.malformed("\(error)")
        }
    }

    /// `set` signed by `owner`.
    public init(_ set: ReferenceSet, signedBy owner: SigningKey) throws(PinError) {
        let thumbprint = owner.publicKey.thumbprint
        let input = [Self.header(thumbprint), set.json].map { Base64URL.encode(Array($0.canonical.utf8)) }
            .joined(separator: ".")
        let signature = try owner.sign(Array(input.utf8))
        self.compact = "\(input).\(Base64URL.encode(signature))"
        self.owner = thumbprint
        self.unverified = set
        self.signature = signature
        guard compact.utf8.count <= Self.maximumLength else { throw Self.malformed("too many values for one set") }
    }

    /// The set, if `key` signed it; else throws `.refused`. Its dates are not looked at.
    public func verified(by key: PublicKey) throws(PinError) -> ReferenceSet {
        guard owner == key.thumbprint else {
            throw PinError(.refused, step: Self.step, detail: "signed by \(owner), not by \(key.thumbprint)")
        }
        let input = Array(compact.utf8.dropLast(Self.signatureLength + 1))
        guard key.verifies(signature, over: input) else {
            throw PinError(.refused, step: Self.step, detail: "the signature is not \(owner)'s")
        }
        return unverified
    }

    /// 64 bytes in base64url.
    private static let signatureLength = 86
    private static let step = "reference values"
    private static let type = "cvm-clevis-refvalues+jwt"

    private static func header(_ owner: String) -> JSON {
        ["alg": "ES256", "kid": .string(owner), "typ": .string(type)]
    }

    /// The header is fixed but for the key's name: what it says is compared, never obeyed.
    private static func owner(inHeader text: Substring) throws(PinError) -> String {
        do throws(JSONError) {
            let json = try canonicalJSON(text)
            guard let owner = json["kid"]?.string, Base64URL.decode(owner)?.count == 32, json == header(owner) else {
                throw JSONError(place: "header", problem: "must be ES256, \(type), and a thumbprint as kid")
            }
            return owner
        } catch {
            throw malformed("\(error)")
        }
    }

    /// One text for one value: else two texts would be the same version of a set.
    private static func canonicalJSON(_ text: Substring) throws(JSONError) -> JSON {
        guard let bytes = Base64URL.decode(text) else { throw JSONError(place: "", problem: "a part is not base64url") }
        let json = try JSON(parsing: bytes, limit: maximumLength)
        guard Array(json.canonical.utf8) == bytes else {
            throw JSONError(place: "", problem: "a part is not canonical JSON")
        }
        return json
    }

    private static func malformed(_ detail: String) -> PinError { PinError(.malformed, step: step, detail: detail) }
}
