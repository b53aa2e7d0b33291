// SPDX-License-Identifier: Apache-2.0
import COpenSSL

/// A revocation list to be made, right in every point that a test does not change.
struct RevocationListDraft {
    var issuer: String
    /// thisUpdate and nextUpdate.
    var validity: ClosedRange<Int64> = 1_750_000_000...1_850_000_000
    var hasNextUpdate = true
    /// Serial numbers below 2^63.
    var serials: [Int] = []
    var signer: TestKey
    var padding: Int32 = RSA_PKCS1_PSS_PADDING
    var digest = Digest.sha384
    /// An IssuingDistributionPoint, which says that the list is about some certificates only.
    var isPartial = false

    enum Digest { case sha256, sha384 }

    func der() -> [UInt8] {
        let list = unsafe X509_CRL_new()!
        defer { unsafe X509_CRL_free(list) }
        unsafe X509_CRL_set_version(list, 1)
        let name = unsafe X509_NAME_new()
        unsafe X509_NAME_add_entry_by_txt(name, "CN", 0x1001, issuer, -1, -1, 0)
        unsafe X509_CRL_set_issuer_name(list, name)
        unsafe X509_NAME_free(name)
        unsafe setDates(of: list)
        for serial in serials { unsafe add(serial, to: list) }
        if isPartial { unsafe addDistributionPoint(to: list) }
        unsafe sign(list)
        var start: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_X509_CRL(list, &start)
        defer { unsafe CRYPTO_free(start, nil, 0) }
        return unsafe Array(UnsafeBufferPointer(start: start, count: Int(count)))
    }

    private func setDates(of list: OpaquePointer) {
        let from = unsafe ASN1_TIME_set(nil, Int(validity.lowerBound))
        defer { unsafe ASN1_STRING_free(from) }
        unsafe X509_CRL_set1_lastUpdate(list, from)
        guard hasNextUpdate else { return }
        let to = unsafe ASN1_TIME_set(nil, Int(validity.upperBound))
        defer { unsafe ASN1_STRING_free(to) }
        unsafe X509_CRL_set1_nextUpdate(list, to)
    }

    private func add(_ serial: Int, to list: OpaquePointer) {
        let number = unsafe ASN1_INTEGER_new()
        let time = unsafe ASN1_TIME_set(nil, Int(validity.lowerBound))
        let entry = unsafe X509_REVOKED_new()
        defer {
            unsafe ASN1_STRING_free(number)
            unsafe ASN1_STRING_free(time)
        }
        unsafe ASN1_INTEGER_set(number, serial)
        unsafe X509_REVOKED_set_serialNumber(entry, number)
        unsafe X509_REVOKED_set_revocationDate(entry, time)
        precondition(unsafe X509_CRL_add0_revoked(list, entry) == 1)
    }

    /// onlyContainsCACerts, critical as RFC 5280 §5.2.5 wants it.
    private func addDistributionPoint(to list: OpaquePointer) {
        let object = unsafe OBJ_txt2obj("2.5.29.28", 1)
        let data = unsafe ASN1_STRING_type_new(V_ASN1_OCTET_STRING)
        let content: [UInt8] = [0x30, 0x03, 0x82, 0x01, 0xff]
        unsafe ASN1_STRING_set(data, content, Int32(content.count))
        let added = unsafe X509_EXTENSION_create_by_OBJ(nil, object, 1, data)
        precondition(unsafe X509_CRL_add_ext(list, added, -1) == 1)
        unsafe X509_EXTENSION_free(added)
        unsafe ASN1_STRING_free(data)
        unsafe ASN1_OBJECT_free(object)
    }

    private func sign(_ list: OpaquePointer) {
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        var parameters: OpaquePointer?
        let digest = unsafe digest == .sha256 ? EVP_sha256() : EVP_sha384()
        precondition(unsafe EVP_DigestSignInit(context, &parameters, digest, nil, signer.key) == 1)
        if unsafe EVP_PKEY_get_base_id(signer.key) == EVP_PKEY_RSA {
            precondition(unsafe EVP_PKEY_CTX_set_rsa_padding(parameters, padding) == 1)
            if padding == RSA_PKCS1_PSS_PADDING {
                precondition(unsafe EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, 48) == 1)
                precondition(unsafe EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, digest) == 1)
            }
        }
        precondition(unsafe X509_CRL_sign_ctx(list, context) > 0)
    }
}
