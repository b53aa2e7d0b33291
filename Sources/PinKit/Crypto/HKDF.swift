// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

extension SecretBytes {
    /// `count` bytes (1 to 8160) derived from this secret by HKDF with SHA-256 (RFC 5869). `info` says what they are for.
    public func hkdf(salt: [UInt8], info: [UInt8], count: Int = 32) throws(PinError) -> SecretBytes {
        try unsafe SecretBytes(count: count) { (key) throws(PinError) in
            let done = unsafe withUnsafeBytes { bytes in
                unsafe cvm_hkdf_sha256(
                    bytes.baseAddress, bytes.count, salt, salt.count, info, info.count, key.baseAddress, key.count)
            }
            guard done == 1 else { throw PinError(.failed, step: "HKDF", detail: opensslReason()) }
        }
    }
}
