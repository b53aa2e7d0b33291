// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
public import PinKit

/// A private key on P-384: an owner's for signing ID blocks, or for one launch session. Lives inside libcrypto.
@safe public final class P384Key: @unchecked Sendable {
    private let key: OpaquePointer
    public let publicKey: P384PublicKey

    private init(adopting key: OpaquePointer) throws(PinError) {
        var point = [UInt8](repeating: 0, count: 97)
        guard unsafe cvm_p384_point(key, &point) == 1 else {
            unsafe EVP_PKEY_free(key)
            throw PinError(.malformed, step: "read a private key", detail: "not an EC key on P-384")
        }
        unsafe self.key = key
        publicKey = P384PublicKey(x: Array(point[1..<49]), y: Array(point[49..<97]))
    }

    deinit { unsafe EVP_PKEY_free(key) }

    static func generate() throws(PinError) -> P384Key {
        guard let key = unsafe cvm_generate_p384() else {
            throw PinError(.failed, step: "generate a P-384 key", detail: opensslReason())
        }
        return try unsafe P384Key(adopting: key)
    }

    /// Reads an unencrypted PKCS #8 or SEC 1 PEM.
    public convenience init(pem: borrowing SecretBytes) throws(PinError) {
        let parsed = unsafe pem.withUnsafeBytes { unsafe cvm_read_private_key($0.baseAddress, $0.count) }
        guard let key = unsafe parsed else {
            throw PinError(.malformed, step: "read a private key", detail: opensslReason())
        }
        try unsafe self.init(adopting: key)
    }

    /// ECDSA with SHA-384.
    func sign(_ message: [UInt8]) throws(PinError) -> P384Signature {
        var signature = [UInt8](repeating: 0, count: 96)
        guard unsafe cvm_sign_p384(key, message, message.count, &signature) == 1 else {
            throw PinError(.failed, step: "sign", detail: opensslReason())
        }
        return P384Signature(r: Array(signature[..<48]), s: Array(signature[48...]))
    }

    /// The x-coordinate of the point that both agree on (ECDH), 48 bytes. `.refused` for a peer that is not on the curve.
    func agree(with peer: P384PublicKey) throws(PinError) -> SecretBytes {
        guard let other = unsafe cvm_ec_public_key("P-384", peer.point, peer.point.count),
            let context = unsafe EVP_PKEY_CTX_new(key, nil)
        else { throw PinError(.refused, step: "agree on a key", detail: "the platform's key is not on P-384") }
        defer {
            unsafe EVP_PKEY_CTX_free(context)
            unsafe EVP_PKEY_free(other)
        }
        return try unsafe SecretBytes(count: 48) { (shared) throws(PinError) in
            var count = shared.count
            guard unsafe EVP_PKEY_derive_init(context) == 1, unsafe EVP_PKEY_derive_set_peer(context, other) == 1,
                unsafe EVP_PKEY_derive(context, shared.baseAddress, &count) == 1, count == shared.count
            else { throw PinError(.failed, step: "agree on a key", detail: opensslReason()) }
        }
    }
}

/// Affine coordinates, 48 bytes each, big-endian. That they lie on the curve is checked where the key is used.
public struct P384PublicKey: Sendable, Equatable {
    let x: [UInt8]
    let y: [UInt8]

    /// SEC 1 uncompressed, 97 bytes.
    fileprivate var point: [UInt8] { [4] + x + y }

    enum Hash {
        case sha256
        case sha384
    }

    func verifies(_ signature: P384Signature, over message: [UInt8], _ hash: Hash = .sha384) -> Bool {
        guard let key = unsafe cvm_ec_public_key("P-384", point, point.count) else { return false }
        defer { unsafe EVP_PKEY_free(key) }
        let digest = unsafe hash == .sha256 ? EVP_sha256() : EVP_sha384()
        let text = signature.r + signature.s
        let valid = unsafe cvm_verify_ecdsa(key, digest, text, 48, message, message.count)
        ERR_clear_error()
        return valid == 1
    }
}

/// 48 bytes each, big-endian.
struct P384Signature: Equatable {
    let r: [UInt8]
    let s: [UInt8]
}

// MARK: - As AMD's firmware writes them: little-endian numbers in 72 bytes

extension P384PublicKey {
    /// Bytes of a key in a certificate or in the authentication data of an ID block.
    static let fieldSize = 1028
    private static let curve: UInt32 = 2

    /// u32 curve, x and y in 72 bytes each, zeros.
    public var field: [UInt8] {
        let used = Self.curve.littleEndianBytes + x.field + y.field
        return used + [UInt8](repeating: 0, count: Self.fieldSize - used.count)
    }

    /// nil for another curve, and where bytes that must be zero are not.
    init?(field: ArraySlice<UInt8>) {
        guard field.count == Self.fieldSize, Array(field.prefix(4)) == Self.curve.littleEndianBytes,
            let x = field.dropFirst(4).number, let y = field.dropFirst(76).number,
            field.dropFirst(148).allSatisfy({ $0 == 0 })
        else { return nil }
        (self.x, self.y) = (x, y)
    }
}

extension P384Signature {
    static let fieldSize = 512

    /// r and s in 72 bytes each, zeros.
    var field: [UInt8] { r.field + s.field + [UInt8](repeating: 0, count: Self.fieldSize - 144) }

    init?(field: ArraySlice<UInt8>) {
        guard field.count == Self.fieldSize, let r = field.number, let s = field.dropFirst(72).number,
            field.dropFirst(144).allSatisfy({ $0 == 0 })
        else { return nil }
        (self.r, self.s) = (r, s)
    }
}

extension [UInt8] {
    fileprivate var field: [UInt8] { reversed() + [UInt8](repeating: 0, count: 72 - count) }
}

extension ArraySlice<UInt8> {
    /// The 48 bytes of a number that stands little-endian in the first 72.
    fileprivate var number: [UInt8]? {
        guard count >= 72, dropFirst(48).prefix(24).allSatisfy({ $0 == 0 }) else { return nil }
        return prefix(48).reversed()
    }
}

extension FixedWidthInteger {
    /// Least significant first.
    var littleEndianBytes: [UInt8] { (0..<Self.bitWidth / 8).map { UInt8(truncatingIfNeeded: self >> Self($0 * 8)) } }
}

extension Collection<UInt8> {
    /// The whole of it, at most 8 bytes, little-endian.
    var littleEndian: UInt64 { reversed().reduce(0) { $0 << 8 | UInt64($1) } }
}
