// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

extension SecretBytes {
    /// HMAC (RFC 2104) of public `text` with these bytes as its key. `hash` is a name that libcrypto knows, `SHA256`.
    public func hmac(_ hash: String, of text: String) throws(PinError) -> [UInt8] {
        let text = Array(text.utf8)
        var code = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count = 0
        let done = unsafe withUnsafeBytes { key in
            unsafe EVP_Q_mac(
                nil, "HMAC", nil, hash, nil, key.baseAddress, key.count, text, text.count, &code, code.count, &count) != nil
        }
        guard done else { throw PinError(.failed, step: "HMAC with \(hash)", detail: opensslReason()) }
        return Array(code[..<count])
    }
}
