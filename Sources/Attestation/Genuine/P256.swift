// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// ECDSA on P-256 with a key that comes as bytes and not in a certificate.
enum P256 {
    /// Whether `signature` (r ‖ s) is over `message` with SHA-256, by the key with the coordinates `key` (x ‖ y): 32 bytes
    /// each, big-endian. False for a key that is not on the curve.
    static func verifies(_ signature: [UInt8], by key: [UInt8], over message: [UInt8]) -> Bool {
        defer { ERR_clear_error() }
        guard signature.count == 64, key.count == 64 else { return false }
        return unsafe cvm_verify_es256([0x04] + key, signature, message, message.count) == 1
    }
}
