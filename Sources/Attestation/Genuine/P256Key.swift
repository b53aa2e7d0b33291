// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// A public key on P-256 that comes as bytes and not in a certificate. Thread-safe: nothing in it changes.
@safe final class P256Key: @unchecked Sendable {
    private let key: OpaquePointer

    /// From x ‖ y, 32 bytes each, big-endian; nil where that is no point on the curve.
    init?(_ coordinates: [UInt8]) {
        defer { ERR_clear_error() }
        guard coordinates.count == 64, let key = unsafe cvm_ec_public_key("P-256", [0x04] + coordinates, 65) else {
            return nil
        }
        unsafe self.key = key
    }

    deinit { unsafe EVP_PKEY_free(key) }

    /// Whether `signature` (r ‖ s, 32 bytes each, big-endian) is this key's over `message` with SHA-256.
    func verifiesES256(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        defer { ERR_clear_error() }
        guard signature.count == 64 else { return false }
        return unsafe cvm_verify_ecdsa(key, EVP_sha256(), signature, 32, message, message.count) == 1
    }
}
