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

    /// ECDSA with SHA-384 as an SNP report carries it: R and S little-endian in 72 bytes each.
    func reportSignature(over message: [UInt8]) throws(SimulatorError) -> (r: [UInt8], s: [UInt8]) {
        var der = [UInt8](repeating: 0, count: 128)
        var count = der.count
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        guard unsafe EVP_DigestSignInit(context, nil, EVP_sha384(), nil, key) == 1,
            unsafe EVP_DigestSign(context, &der, &count, message, message.count) == 1
        else { throw SimulatorError("cannot sign a report: \(opensslReason())") }
        return try littleEndianHalves(of: Array(der.prefix(count)))
    }

    private func littleEndianHalves(of der: [UInt8]) throws(SimulatorError) -> (r: [UInt8], s: [UInt8]) {
        let parsed = unsafe der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return unsafe d2i_ECDSA_SIG(nil, &cursor, buffer.count)
        }
        guard let parsed = unsafe parsed else { throw SimulatorError("cannot sign a report: \(opensslReason())") }
        defer { unsafe ECDSA_SIG_free(parsed) }
        var r = [UInt8](repeating: 0, count: 72)
        var s = r
        guard unsafe BN_bn2lebinpad(ECDSA_SIG_get0_r(parsed), &r, 72) == 72,
            unsafe BN_bn2lebinpad(ECDSA_SIG_get0_s(parsed), &s, 72) == 72
        else { throw SimulatorError("cannot sign a report: \(opensslReason())") }
        return (r, s)
    }
}
