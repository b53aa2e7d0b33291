// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// SHA-2 of public bytes.
public enum Digest {
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] { unsafe hash(bytes, EVP_sha256(), count: 32) }
    public static func sha384(_ bytes: [UInt8]) -> [UInt8] { unsafe hash(bytes, EVP_sha384(), count: 48) }
    public static func sha512(_ bytes: [UInt8]) -> [UInt8] { unsafe hash(bytes, EVP_sha512(), count: 64) }

    /// SHA-256 as a checksum, which vouches for nothing: without all that libcrypto starts for the others.
    package static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        unsafe cvm_sha256_checksum(bytes, bytes.count, &digest)
        return digest
    }

    private static func hash(_ bytes: [UInt8], _ algorithm: OpaquePointer?, count: Int) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: count)
        let done = unsafe EVP_Digest(bytes, bytes.count, &digest, nil, algorithm, nil)
        precondition(done == 1, "libcrypto has no SHA-2")
        return digest
    }
}

extension SecretBytes {
    /// SHA-256 of the bytes, itself a secret.
    package var sha256: SecretBytes {
        unsafe SecretBytes(count: 32) { digest in
            let done = unsafe withUnsafeBytes { bytes in
                unsafe EVP_Digest(bytes.baseAddress, bytes.count, digest.baseAddress, nil, EVP_sha256(), nil)
            }
            precondition(done == 1, "libcrypto has no SHA-2")
        }
    }
}

/// Random bytes that are no secret: nonces and names.
public enum Random {
    public static func bytes(_ count: Int) throws(PinError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard unsafe RAND_bytes(&bytes, Int32(count)) == 1 else {
            throw PinError(.failed, step: "RAND_bytes", detail: opensslReason())
        }
        return bytes
    }
}
