// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The hash algorithms of a TPM, under clevis' names.
enum TPMHash: String, CaseIterable {
    case sha1, sha256, sha384, sha512

    /// TPM_ALG_ID.
    var identifier: UInt16 {
        switch self {
        case .sha1: 0x0004
        case .sha256: 0x000b
        case .sha384: 0x000c
        case .sha512: 0x000d
        }
    }

    /// Bytes of a digest.
    var length: Int {
        switch self {
        case .sha1: 20
        case .sha256: 32
        case .sha384: 48
        case .sha512: 64
        }
    }

    init?(identifier: UInt16) {
        guard let hash = TPMHash.allCases.first(where: { $0.identifier == identifier }) else { return nil }
        self = hash
    }
}

/// The key under which objects are sealed.
enum Parent {
    /// Made anew each time.
    case primary(PrimaryKey)
    /// The one at 0x81000001 (TCG TPM v2.0 Provisioning Guidance §7.5.1), which systemd makes and uses too.
    case storageRoot

    static let srk = "srk"

    var isClevis: Bool { if case .primary = self { true } else { false } }
}

/// The primary key that clevis recreates each time: docs/spec/pins.md, "the parent".
struct PrimaryKey {
    enum Kind: String { case ecc, rsa }

    let kind: Kind
    let hash: TPMHash

    /// TPM2B_PUBLIC. The same bytes give the same key: one changed bit and no existing message opens.
    var template: [UInt8] {
        var area = TPMBytes()
        area.add(kind == .ecc ? 0x0023 : 0x0001, hash.identifier)
        // fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, decrypt
        area.add(0x0003, 0x0072)
        area.add(0)  // authPolicy
        area.add(0x0006, 128, 0x0043)  // AES-128-CFB for its children
        area.add(0x0010)  // no scheme
        switch kind {
        case .ecc: area.add(0x0003, 0x0010, 0, 0)  // P-256, no kdf, an empty point
        case .rsa: area.add(2048, 0, 0, 0)  // bits, exponent (4 bytes, the default), an empty modulus
        }
        return area.prefixed
    }
}

/// A sealed object as clevis' header has it: both halves marshalled, with their size prefix.
struct SealedObject {
    /// Longest half that is read; real ones have 48 to 300 bytes.
    static let maximumLength = 768

    let publicHalf: [UInt8]
    let privateHalf: [UInt8]
    /// nameAlg: what a policy over it is computed with.
    let hash: TPMHash
    /// authPolicy: the digest of the policy that opens it; empty where a password does.
    let policy: [UInt8]

    /// Reads the fields that are needed before the TPM sees it; the TPM refuses an object that was changed.
    init(publicHalf: [UInt8], privateHalf: [UInt8]) throws(PinError) {
        guard publicHalf.count <= SealedObject.maximumLength, privateHalf.count <= SealedObject.maximumLength else {
            throw SealedObject.malformed("a half is longer than \(SealedObject.maximumLength) bytes")
        }
        let start = publicHalf.prefix(6).map { UInt16($0) }
        guard start.count == 6, Int(start[0] << 8 | start[1]) == publicHalf.count - 2, start[2] << 8 | start[3] == 0x0008
        else { throw SealedObject.malformed("jwk_pub is no sealed object") }
        guard let hash = TPMHash(identifier: start[4] << 8 | start[5]) else {
            throw SealedObject.malformed("jwk_pub has an unknown nameAlg")
        }
        // After size, type, nameAlg and attributes.
        let length = publicHalf.dropFirst(10).prefix(2).map { Int($0) }
        let policy = publicHalf.dropFirst(12)
        guard length.count == 2, length[0] << 8 | length[1] <= policy.count else {
            throw SealedObject.malformed("jwk_pub is no sealed object")
        }
        self.publicHalf = publicHalf
        self.privateHalf = privateHalf
        self.hash = hash
        self.policy = Array(policy.prefix(length[0] << 8 | length[1]))
    }

    /// The form that every clevis opens: nameAlg SHA-256 whatever the primary's is. `guarded`: wrong attempts count towards
    /// the TPM's lockout.
    static func template(policy: [UInt8], guarded: Bool) -> [UInt8] {
        var area = TPMBytes()
        area.add(0x0008, TPMHash.sha256.identifier)
        // fixedTPM, fixedParent, adminWithPolicy; noDA unless guarded; userWithAuth only where no policy is to be met
        area.add(0x0000, 0x0092 | (guarded ? 0 : 0x0400) | (policy.isEmpty ? 0x0040 : 0))
        area.add(prefixed: policy)
        area.add(0x0010, 0)  // no scheme, nothing unique
        return area.prefixed
    }

    static func malformed(_ detail: String) -> PinError { PinError(.malformed, step: "read a tpm2 header", detail: detail) }
}

/// Big-endian writer.
struct TPMBytes {
    var bytes: [UInt8] = []

    mutating func add(_ words: UInt16...) {
        for word in words { bytes += [UInt8(word >> 8), UInt8(word & 0xff)] }
    }

    /// `content` with its length before it, as TPM2B.
    mutating func add(prefixed content: [UInt8]) {
        add(UInt16(content.count))
        bytes += content
    }

    /// All of it with the length before it.
    var prefixed: [UInt8] { [UInt8(bytes.count >> 8), UInt8(bytes.count & 0xff)] + bytes }
}
