// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

/// ASK or ARK in AMD's own format (SEV API, appendix B, "AMD certificate"): an RSA key, and its issuer's signature over it.
struct AMDSigningKey {
    enum Usage: UInt64 {
        case ark = 0
        case ask = 0x13
    }

    /// Big-endian.
    private let modulus: [UInt8]
    private let exponent: [UInt8]
    private let signed: [UInt8]
    /// Little-endian, as it stands there. Empty where the file ends before it, as AMD's for Naples does after its ARK.
    private let signature: [UInt8]
    /// Bytes of the file that it takes.
    let length: Int

    private static let headLength = 0x40

    /// Reads the front of `bytes`.
    init(_ bytes: ArraySlice<UInt8>, as usage: Usage) throws(PinError) {
        let bytes = Array(bytes)
        let name = usage == .ark ? "ARK" : "ASK"
        func malformed(_ detail: String) -> PinError {
            PinError(.malformed, step: "read AMD's certificate of the \(name)", detail: detail)
        }
        guard bytes.count >= Self.headLength, bytes[..<4].littleEndian == 1 else {
            throw malformed("it is not of version 1")
        }
        guard bytes[0x24..<0x28].littleEndian == usage.rawValue else { throw malformed("its key is for another use") }
        let bits = bytes[0x3c..<0x40].littleEndian
        guard bits == 2048 || bits == 4096, bytes[0x38..<0x3c].littleEndian == bits else {
            throw malformed("its key is not RSA of 2048 or 4096 bits")
        }
        let size = Int(bits / 8)
        let body = Self.headLength + 2 * size
        guard bytes.count >= body else { throw malformed("it ends within its key") }
        exponent = bytes[Self.headLength..<Self.headLength + size].reversed()
        modulus = bytes[Self.headLength + size..<body].reversed()
        signed = Array(bytes[..<body])
        signature = bytes.count >= body + size ? Array(bytes[body..<body + size]) : []
        length = min(bytes.count, body + size)
    }

    func isSigned(by issuer: AMDSigningKey) -> Bool {
        unsafe issuer.verifies(signature, over: signed, hash: issuer.modulus.count == 512 ? EVP_sha384() : EVP_sha256())
    }

    /// `field`: the signature, little-endian, and zeros behind it.
    func verifies(_ field: [UInt8], over message: [UInt8], _ algorithm: UInt32) -> Bool {
        switch SEVCertificate.Algorithm(rawValue: algorithm) {
        case .rsaSHA256: unsafe verifies(field, over: message, hash: EVP_sha256())
        case .rsaSHA384: unsafe verifies(field, over: message, hash: EVP_sha384())
        default: false
        }
    }

    private func verifies(_ field: [UInt8], over message: [UInt8], hash: OpaquePointer?) -> Bool {
        guard field.count >= modulus.count, field.dropFirst(modulus.count).allSatisfy({ $0 == 0 }),
            let key = unsafe cvm_rsa_public_key(modulus, modulus.count, exponent, exponent.count)
        else { return false }
        defer { unsafe EVP_PKEY_free(key) }
        let signature = Array(field.prefix(modulus.count).reversed())
        let valid = unsafe cvm_verify_pss(key, hash, signature, signature.count, message, message.count)
        ERR_clear_error()
        return valid == 1
    }
}
