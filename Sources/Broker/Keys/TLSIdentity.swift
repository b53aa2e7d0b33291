// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

/// A TLS key with a certificate that it signed itself. Clients pin the key, so nobody has to be trusted to vouch for it.
struct TLSIdentity: ~Copyable {
    /// PKCS #8 PEM.
    let key: SecretBytes
    /// X.509 PEM.
    let certificate: String
    /// SHA-256 of the DER SubjectPublicKeyInfo, what `tls` in an envelope holds.
    let pin: [UInt8]

    /// A new P-256 key, and a certificate for `host` that is valid from a day before `now` and does not expire (RFC 5280
    /// §4.1.2.5): a guest in its initrd has no clock to trust, and the pin is what it checks.
    static func selfSigned(host: String, now: Int64) throws(BrokerError) -> TLSIdentity {
        let name = try alternativeName(of: host)
        guard let key = unsafe cvm_generate_p256() else { throw failure("make a TLS key") }
        defer { unsafe EVP_PKEY_free(key) }
        guard let certificate = unsafe X509_new() else { throw failure("make a TLS certificate") }
        defer { unsafe X509_free(certificate) }
        guard unsafe fill(certificate, alternativeName: name, now: now), unsafe X509_set_pubkey(certificate, key) == 1,
            unsafe X509_sign(certificate, key, EVP_sha256()) > 0
        else { throw failure("make a TLS certificate") }
        return TLSIdentity(
            key: try unsafe privatePEM(of: key), certificate: try unsafe publicPEM(of: certificate),
            pin: try unsafe digest(ofKeyIn: certificate))
    }

    /// The pin of the first certificate in a PEM text.
    static func pin(ofCertificate pem: String) throws(BrokerError) -> [UInt8] {
        let parsed = unsafe withBIO(over: Array(pem.utf8)) { unsafe PEM_read_bio_X509($0, nil, nil, nil) }
        guard let certificate = unsafe parsed else { throw failure("read a certificate") }
        defer { unsafe X509_free(certificate) }
        return try unsafe digest(ofKeyIn: certificate)
    }

    // MARK: - libcrypto

    private static func fill(_ certificate: OpaquePointer, alternativeName: String, now: Int64) -> Bool {
        var serial = [UInt8](repeating: 0, count: 16)
        guard unsafe RAND_bytes(&serial, Int32(serial.count)) == 1, let number = unsafe BN_bin2bn(serial, 16, nil) else {
            return false
        }
        defer { unsafe BN_free(number) }
        let subject = unsafe X509_get_subject_name(certificate)
        let name = Array("cvm-clevis-broker".utf8)
        return unsafe X509_set_version(certificate, 2 /* v3 */) == 1
            && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
            && ASN1_TIME_set(X509_getm_notBefore(certificate), time_t(now - 86_400)) != nil
            && ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z") == 1
            && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, Int32(name.count), -1, 0) == 1
            && X509_set_issuer_name(certificate, subject) == 1
            && add(NID_basic_constraints, "critical,CA:FALSE", to: certificate)
            && add(NID_ext_key_usage, "serverAuth", to: certificate)
            && add(NID_subject_alt_name, alternativeName, to: certificate)
    }

    /// In the words of libcrypto's extension reader, which would take a comma for the next name.
    private static func alternativeName(of host: String) throws(BrokerError) -> String {
        if ListenAddress.isIP(host) { return "IP:\(host)" }
        let letters = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard letters, host.utf8.count <= 253 else { throw BrokerError("\(host) is neither a host name nor an address") }
        return "DNS:\(host)"
    }

    private static func add(_ kind: Int32, _ value: String, to certificate: OpaquePointer) -> Bool {
        guard let extension_ = unsafe X509V3_EXT_conf_nid(nil, nil, kind, value) else { return false }
        defer { unsafe X509_EXTENSION_free(extension_) }
        return unsafe X509_add_ext(certificate, extension_, -1) == 1
    }

    private static func privatePEM(of key: OpaquePointer) throws(BrokerError) -> SecretBytes {
        guard let bio = unsafe BIO_new(BIO_s_secmem()) else { throw failure("write a TLS key") }
        defer { unsafe BIO_free(bio) }
        guard unsafe PEM_write_bio_PKCS8PrivateKey(bio, key, nil, nil, 0, nil, nil) == 1 else {
            throw failure("write a TLS key")
        }
        return unsafe contents(of: bio)
    }

    private static func publicPEM(of certificate: OpaquePointer) throws(BrokerError) -> String {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { throw failure("write a TLS certificate") }
        defer { unsafe BIO_free(bio) }
        guard unsafe PEM_write_bio_X509(bio, certificate) == 1 else { throw failure("write a TLS certificate") }
        return unsafe contents(of: bio).withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    private static func contents(of bio: OpaquePointer) -> SecretBytes {
        var start: UnsafeMutablePointer<CChar>?
        let count = unsafe cvm_bio_data(bio, &start)
        return unsafe SecretBytes(copying: UnsafeRawBufferPointer(start: start, count: count))
    }

    private static func digest(ofKeyIn certificate: OpaquePointer) throws(BrokerError) -> [UInt8] {
        var encoded: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded)
        guard count > 0, let encoded = unsafe encoded else { throw failure("read a TLS key") }
        defer { unsafe CRYPTO_free(encoded, nil, 0) }
        return Digest.sha256(unsafe Array(UnsafeBufferPointer(start: encoded, count: Int(count))))
    }

    private static func failure(_ step: String) -> BrokerError { BrokerError("cannot \(step): \(opensslReason())") }
}
