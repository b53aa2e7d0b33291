// SPDX-License-Identifier: Apache-2.0
public import PinKit
public import TEE

/// Who stands for an ID block (SEV-SNP Firmware ABI, "ID authentication information"), 4096 bytes: the ID key, which signs
/// blocks, and the author key, which signs ID keys and may be kept elsewhere.
public struct IDAuthentication: Sendable, Equatable {
    /// As QEMU's `id-auth` has them.
    public let bytes: [UInt8]
    /// SHA-384 of the keys as they stand here: ID_KEY_DIGEST and AUTHOR_KEY_DIGEST of reports. The second is nil without an
    /// author.
    public let idKeyDigest: [UInt8]
    public let authorKeyDigest: [UInt8]?

    static let length = 4096
    private static let ecdsaP384: UInt32 = 1
    private static let idSignature = 0x40..<0x240
    private static let idKey = 0x240..<0x644
    private static let keySignature = 0x680..<0x880
    private static let authorKey = 0x880..<0xc84

    /// Signs `block`, and the key it is signed by where there is an `author`.
    public init(_ block: IDBlock, idKey: P384Key, author: P384Key?) throws(PinError) {
        var bytes = [UInt8](repeating: 0, count: Self.length)
        let field = idKey.publicKey.field
        bytes.replaceSubrange(0..<4, with: Self.ecdsaP384.littleEndianBytes)
        bytes.replaceSubrange(Self.idSignature, with: try idKey.sign(block.bytes).field)
        bytes.replaceSubrange(Self.idKey, with: field)
        if let author {
            bytes.replaceSubrange(4..<8, with: Self.ecdsaP384.littleEndianBytes)
            bytes.replaceSubrange(Self.keySignature, with: try author.sign(field).field)
            bytes.replaceSubrange(Self.authorKey, with: author.publicKey.field)
        }
        self.init(checked: bytes)
    }

    /// Reads what somebody else made, and verifies every signature in it. `.refused` where one does not hold.
    public init(_ bytes: [UInt8], of block: IDBlock) throws(EvidenceError) {
        guard bytes.count == Self.length else { throw Self.malformed("it has \(bytes.count) bytes, not \(Self.length)") }
        guard bytes[..<4].littleEndian == UInt64(Self.ecdsaP384), let key = P384PublicKey(field: bytes[Self.idKey]),
            let signature = P384Signature(field: bytes[Self.idSignature])
        else { throw Self.malformed("its ID key is not one on P-384 with SHA-384") }
        guard key.verifies(signature, over: block.bytes) else { throw Self.refused("the ID key has not signed the block") }
        if Self.hasAuthor(bytes) {
            guard bytes[4..<8].littleEndian == UInt64(Self.ecdsaP384),
                let author = P384PublicKey(field: bytes[Self.authorKey]),
                let signature = P384Signature(field: bytes[Self.keySignature])
            else { throw Self.malformed("its author key is not one on P-384 with SHA-384") }
            guard author.verifies(signature, over: Array(bytes[Self.idKey])) else {
                throw Self.refused("the author key has not signed the ID key")
            }
        }
        self.init(checked: bytes)
    }

    private init(checked bytes: [UInt8]) {
        self.bytes = bytes
        idKeyDigest = Digest.sha384(Array(bytes[Self.idKey]))
        authorKeyDigest = Self.hasAuthor(bytes) ? Digest.sha384(Array(bytes[Self.authorKey])) : nil
    }

    private static func hasAuthor(_ bytes: [UInt8]) -> Bool {
        bytes[authorKey].contains { $0 != 0 } || bytes[keySignature].contains { $0 != 0 }
    }

    private static func malformed(_ detail: String) -> EvidenceError {
        EvidenceError(.malformed, step: "ID authentication", detail: detail)
    }

    private static func refused(_ detail: String) -> EvidenceError {
        EvidenceError(.refused, step: "ID authentication", detail: detail)
    }
}
