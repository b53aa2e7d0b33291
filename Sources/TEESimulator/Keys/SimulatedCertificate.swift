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

    /// Big-endian.
    func serial() throws(SimulatorError) -> [UInt8] {
        let number = unsafe ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil)
        defer { unsafe BN_free(number) }
        var bytes = [UInt8](repeating: 0, count: 20)
        guard unsafe BN_bn2binpad(number, &bytes, Int32(bytes.count)) == Int32(bytes.count) else {
            throw SimulatorError("cannot read a serial number: \(opensslReason())")
        }
        return bytes
    }

    func pem() throws(SimulatorError) -> String {
        let text = Base64.encode(try der())
        var lines: [Substring] = []
        var rest = text[...]
        while !rest.isEmpty {
            lines.append(rest.prefix(64))
            rest = rest.dropFirst(64)
        }
        return "-----BEGIN CERTIFICATE-----\n\(lines.joined(separator: "\n"))\n-----END CERTIFICATE-----\n"
    }

    /// The subject, from the attributes' short names; the issuer is `issuer`'s subject.
    func setNames(_ subject: [(field: String, value: String)], issuer: SimulatedCertificate) throws(SimulatorError) {
        let name = unsafe X509_NAME_new()
        defer { unsafe X509_NAME_free(name) }
        var set = unsafe X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate)) == 1
        for (field, value) in subject {
            set = unsafe set && X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, value, -1, -1, 0) == 1
        }
        guard set, unsafe X509_set_subject_name(certificate, name) == 1 else {
            throw SimulatorError("cannot name a certificate: \(opensslReason())")
        }
    }

    /// Version 3, the serial number (big-endian), the seconds from now to start and end, and the key.
    func setFrame(
        serial: [UInt8], validity: ClosedRange<Int>, key: SimulatedKey
    ) throws(SimulatorError) {
        let number = unsafe BN_bin2bn(serial, Int32(serial.count), nil)
        defer { unsafe BN_free(number) }
        guard unsafe X509_set_version(certificate, 2) == 1,
            unsafe BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil,
            unsafe X509_gmtime_adj(X509_getm_notBefore(certificate), validity.lowerBound) != nil,
            unsafe X509_gmtime_adj(X509_getm_notAfter(certificate), validity.upperBound) != nil,
            unsafe X509_set_pubkey(certificate, key.key) == 1
        else { throw SimulatorError("cannot fill a certificate: \(opensslReason())") }
    }

    /// Adds an extension whose value is `content`, as it is.
    func add(extension identifier: String, critical: Bool = false, _ content: [UInt8]) throws(SimulatorError) {
        let object = unsafe OBJ_txt2obj(identifier, 1)
        let value = unsafe ASN1_OCTET_STRING_new()
        defer {
            unsafe ASN1_OBJECT_free(object)
            unsafe ASN1_OCTET_STRING_free(value)
        }
        var made: OpaquePointer?
        if unsafe ASN1_OCTET_STRING_set(value, content, Int32(content.count)) == 1 {
            unsafe made = X509_EXTENSION_create_by_OBJ(nil, object, critical ? 1 : 0, value)
        }
        defer { unsafe X509_EXTENSION_free(made) }
        guard unsafe made != nil, unsafe X509_add_ext(certificate, made, -1) == 1 else {
            throw SimulatorError("cannot add extension \(identifier): \(opensslReason())")
        }
    }

    /// Signs as AMD does, or, to be refused, with PKCS #1 v1.5.
    func sign(with issuer: SimulatedKey, pss: Bool) throws(SimulatorError) {
        guard unsafe issuer.signs(pss: pss, { unsafe X509_sign_ctx(certificate, $0) }) else {
            throw SimulatorError("cannot sign a certificate: \(opensslReason())")
        }
    }

    /// Signs as Intel does: ECDSA with SHA-256, by a key on P-256.
    func signECDSA(with issuer: SimulatedKey) throws(SimulatorError) {
        guard unsafe X509_sign(certificate, issuer.key, EVP_sha256()) > 0 else {
            throw SimulatorError("cannot sign a certificate: \(opensslReason())")
        }
    }
}
