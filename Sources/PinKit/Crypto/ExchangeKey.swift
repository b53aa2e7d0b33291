// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// A private key for Diffie and Hellman's exchange on one of NIST's curves. Lives inside libcrypto, which overwrites it when it
/// goes away.
///
/// Not private: release builds of other modules destroy what holds one, and would not find a private type's metadata.
@safe struct ExchangeKey: ~Copyable, @unchecked Sendable {
    private let key: OpaquePointer
    let publicPoint: CurvePoint

    init(generatingOn curve: CurvePoint.Curve) throws(PinError) {
        var point = [UInt8](repeating: 0, count: 1 + 2 * curve.length)
        guard let key = unsafe cvm_generate_ec(curve.rawValue) else {
            throw PinError(.failed, step: "generate a \(curve.rawValue) key", detail: opensslReason())
        }
        guard unsafe cvm_ec_point(key, curve.groupName, &point, point.count) == 1 else {
            unsafe EVP_PKEY_free(key)
            throw PinError(.failed, step: "generate a \(curve.rawValue) key", detail: opensslReason())
        }
        unsafe self.key = key
        publicPoint = CurvePoint(
            curve: curve, x: Array(point[1...curve.length]), y: Array(point[(1 + curve.length)...]))
    }

    /// From the number of a key on P-256, 32 bytes, and its point. nil where they do not belong together.
    init?(number: borrowing SecretBytes, point: PublicKey) {
        guard number.count == 32 else { return nil }
        let key = unsafe number.withUnsafeBytes { unsafe cvm_p256_private_key($0.baseAddress, point.point) }
        guard let key = unsafe key else {
            ERR_clear_error()
            return nil
        }
        unsafe self.key = key
        publicPoint = CurvePoint(point)
    }

    deinit { unsafe EVP_PKEY_free(key) }

    /// The number of a key on P-256.
    func number() throws(PinError) -> SecretBytes {
        try unsafe SecretBytes(count: 32) { (number) throws(PinError) in
            guard unsafe cvm_p256_number(key, number.baseAddress) == 1 else {
                throw PinError(.failed, step: "write a private key", detail: opensslReason())
            }
        }
    }

    /// The x-coordinate that both can compute. nil where `point` is on another curve, or on none.
    func agree(with point: CurvePoint) throws(PinError) -> SecretBytes? {
        guard point.curve == publicPoint.curve else { return nil }
        let bytes = [4] + point.x + point.y
        guard let peer = unsafe cvm_ec_public_key(point.curve.rawValue, bytes, bytes.count) else {
            ERR_clear_error()
            return nil
        }
        defer { unsafe EVP_PKEY_free(peer) }
        return try unsafe SecretBytes(count: point.curve.length) { (secret) throws(PinError) in
            guard unsafe cvm_ecdh(key, peer, secret.baseAddress, secret.count) == 1 else {
                throw PinError(.failed, step: "exchange keys", detail: opensslReason())
            }
        }
    }
}

extension CurvePoint.Curve {
    /// libcrypto's own name of it.
    fileprivate var groupName: String {
        switch self {
        case .p256: "prime256v1"
        case .p384: "secp384r1"
        case .p521: "secp521r1"
        }
    }
}
