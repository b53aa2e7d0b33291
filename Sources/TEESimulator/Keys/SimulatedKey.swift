// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

/// A private key of the simulator, read from its PEM. Not wiped: what it holds is printed in the source.
@safe final class SimulatedKey: @unchecked Sendable {
    let key: OpaquePointer

    init(pem: String) throws(SimulatorError) {
        let key = unsafe withBIO(over: Array(pem.utf8)) { unsafe PEM_read_bio_PrivateKey($0, nil, nil, nil) }
        guard let key = unsafe key else { throw SimulatorError("cannot read a test key: \(opensslReason())") }
        unsafe self.key = key
    }

    deinit { unsafe EVP_PKEY_free(key) }

    /// Whether `sign`, given a context to sign with, signs something. An RSA key's context does as AMD: RSASSA-PSS, SHA-384,
    /// MGF1 with SHA-384, 48 bytes of salt; or PKCS #1 v1.5.
    func signs(pss: Bool, _ sign: (OpaquePointer?) -> Int32) -> Bool {
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        var parameters: OpaquePointer?
        guard unsafe EVP_DigestSignInit(context, &parameters, EVP_sha384(), nil, key) == 1 else { return false }
        if pss {
            guard unsafe EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1,
                unsafe EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, EVP_sha384()) == 1,
                unsafe EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, 48) == 1
            else { return false }
        }
        return unsafe sign(context) > 0
    }

    /// ECDSA with SHA-384 as an SNP report carries it: R and S little-endian in 72 bytes each.
    func reportSignature(over message: [UInt8]) throws(SimulatorError) -> (r: [UInt8], s: [UInt8]) {
        let (r, s) = try signature(over: message, sha384: true, width: 72)
        return (r.reversed(), s.reversed())
    }

    /// ECDSA with SHA-256 as TDX carries it: r ‖ s, big-endian, 32 bytes each. The key is on P-256.
    func es256Signature(over message: [UInt8]) throws(SimulatorError) -> [UInt8] {
        let (r, s) = try signature(over: message, sha384: false, width: 32)
        return r + s
    }

    /// The public key, x ‖ y, big-endian, 32 bytes each. The key is on P-256.
    func point() throws(SimulatorError) -> [UInt8] {
        var point = [UInt8](repeating: 0, count: 65)
        var count = 0
        guard
            unsafe EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, &point, point.count, &count) == 1,
            count == 65, point[0] == 4
        else { throw SimulatorError("cannot read a public key: \(opensslReason())") }
        return Array(point.dropFirst())
    }

    private func signature(
        over message: [UInt8], sha384: Bool, width: Int32
    ) throws(SimulatorError) -> (r: [UInt8], s: [UInt8]) {
        var der = [UInt8](repeating: 0, count: 128)
        var count = der.count
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        guard unsafe EVP_DigestSignInit(context, nil, sha384 ? EVP_sha384() : EVP_sha256(), nil, key) == 1,
            unsafe EVP_DigestSign(context, &der, &count, message, message.count) == 1
        else { throw SimulatorError("cannot sign: \(opensslReason())") }
        return try halves(of: Array(der.prefix(count)), width: width)
    }

    /// Big-endian.
    private func halves(of der: [UInt8], width: Int32) throws(SimulatorError) -> (r: [UInt8], s: [UInt8]) {
        let parsed = unsafe der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return unsafe d2i_ECDSA_SIG(nil, &cursor, buffer.count)
        }
        guard let parsed = unsafe parsed else { throw SimulatorError("cannot sign: \(opensslReason())") }
        defer { unsafe ECDSA_SIG_free(parsed) }
        var r = [UInt8](repeating: 0, count: Int(width))
        var s = r
        guard unsafe BN_bn2binpad(ECDSA_SIG_get0_r(parsed), &r, width) == width,
            unsafe BN_bn2binpad(ECDSA_SIG_get0_s(parsed), &s, width) == width
        else { throw SimulatorError("cannot sign: \(opensslReason())") }
        return (r, s)
    }
}
