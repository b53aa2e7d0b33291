// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

/// A certificate of the simulated hierarchy.
@safe final class SimulatedCertificate: @unchecked Sendable {
    let certificate: OpaquePointer

    init(pem: String) throws(SimulatorError) {
        let certificate = unsafe withBIO(over: Array(pem.utf8)) { unsafe PEM_read_bio_X509($0, nil, nil, nil) }
        guard let certificate = unsafe certificate else {
            throw SimulatorError("cannot read a test certificate: \(opensslReason())")
        }
        unsafe self.certificate = certificate
    }

    /// An empty certificate, to be filled and signed.
    init() throws(SimulatorError) {
        guard let certificate = unsafe X509_new() else { throw SimulatorError("out of memory") }
        unsafe self.certificate = certificate
    }

    deinit { unsafe X509_free(certificate) }

    func der() throws(SimulatorError) -> [UInt8] {
        let count = Int(unsafe i2d_X509(certificate, nil))
        guard count > 0 else { throw SimulatorError("cannot write a certificate: \(opensslReason())") }
        var bytes = [UInt8](repeating: 0, count: count)
        unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            var cursor = buffer.baseAddress
            _ = unsafe i2d_X509(certificate, &cursor)
        }
        return bytes
    }

    /// Adds a non-critical extension whose value is `content`, as it is.
    func add(extension identifier: String, _ content: [UInt8]) throws(SimulatorError) {
        let object = unsafe OBJ_txt2obj(identifier, 1)
        let value = unsafe ASN1_OCTET_STRING_new()
        defer {
            unsafe ASN1_OBJECT_free(object)
            unsafe ASN1_OCTET_STRING_free(value)
        }
        var made: OpaquePointer?
        if unsafe ASN1_OCTET_STRING_set(value, content, Int32(content.count)) == 1 {
            unsafe made = X509_EXTENSION_create_by_OBJ(nil, object, 0, value)
        }
        defer { unsafe X509_EXTENSION_free(made) }
        guard unsafe made != nil, unsafe X509_add_ext(certificate, made, -1) == 1 else {
            throw SimulatorError("cannot add extension \(identifier): \(opensslReason())")
        }
    }

    /// Signs as AMD does: RSASSA-PSS, SHA-384, MGF1 with SHA-384, 48 bytes of salt; or, to be refused, PKCS #1 v1.5.
    func sign(with issuer: SimulatedKey, pss: Bool) throws(SimulatorError) {
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        var parameters: OpaquePointer?
        var ready = unsafe EVP_DigestSignInit(context, &parameters, EVP_sha384(), nil, issuer.key) == 1
        if pss {
            unsafe ready =
                ready && EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1
                && EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, EVP_sha384()) == 1
                && EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, 48) == 1
        }
        guard ready, unsafe X509_sign_ctx(certificate, context) > 0 else {
            throw SimulatorError("cannot sign a certificate: \(opensslReason())")
        }
    }
}
