// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

extension SecretBytes {
    /// The 256-bit key of `algorithm` (`A256GCM` in direct mode, else the one that wraps) from an x-coordinate that two have agreed
    /// on: Concat KDF of two sides that say nothing about themselves (RFC 7518 §4.6.2).
    func derived(for algorithm: String) throws(PinError) -> SecretBytes {
        // AlgorithmID, PartyUInfo and PartyVInfo, each after its length, and SuppPubInfo: 256 bits.
        let name = Array(algorithm.utf8)
        let info: [UInt8] = [0, 0, 0, UInt8(clamping: name.count)] + name + [0, 0, 0, 0] + [0, 0, 0, 0] + [0, 0, 1, 0]
        return try unsafe SecretBytes(count: 32) { (key) throws(PinError) in
            let done = unsafe withUnsafeBytes { bytes in
                unsafe cvm_concat_kdf(bytes.baseAddress, bytes.count, info, info.count, key.baseAddress)
            }
            guard done == 1 else { throw PinError(.failed, step: "Concat KDF", detail: opensslReason()) }
        }
    }

    /// `key`, 32 bytes, wrapped with these 32 (A256KW, RFC 3394): 40 bytes.
    func wrap(_ key: borrowing SecretBytes) throws(PinError) -> [UInt8] {
        var wrapped = [UInt8](repeating: 0, count: 40)
        guard count == 32, key.count == 32 else {
            throw PinError(.malformed, step: "wrap a key", detail: "a key is not 32 bytes long")
        }
        let done = unsafe withUnsafeBytes { wrapping in
            unsafe key.withUnsafeBytes { unsafe cvm_key_wrap(wrapping.baseAddress, 1, $0.baseAddress, &wrapped) }
        }
        guard done == 1 else { throw PinError(.failed, step: "wrap a key", detail: opensslReason()) }
        return wrapped
    }

    /// The key in `wrapped`. nil where these bytes did not wrap it.
    func unwrap(_ wrapped: [UInt8]) -> SecretBytes? {
        guard count == 32, wrapped.count == 40 else { return nil }
        var done: Int32 = 0
        let key = unsafe SecretBytes(count: 32) { key in
            done = unsafe withUnsafeBytes { unsafe cvm_key_wrap($0.baseAddress, 0, wrapped, key.baseAddress) }
        }
        guard done == 1 else {
            ERR_clear_error()
            return nil
        }
        return key
    }
}
