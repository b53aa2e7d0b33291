// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
package import TEE

/// A certificate revocation list (RFC 5280 §5) as AMD and Intel publish them: one issuer's, complete, with a date for the
/// next. Parsing says nothing about who made it. Thread-safe: libcrypto locks what it sorts.
@safe package final class CertificateRevocationList: @unchecked Sendable {
    private let list: OpaquePointer
    /// Common name.
    package let issuer: String
    /// From thisUpdate to nextUpdate in seconds since 1970, both ends included.
    package let validity: ClosedRange<Int64>

    /// Intel's have 4 KiB; a list of a hundred thousand certificates would not be judged here but wondered at.
    package static let maximumSize = 4 << 20

    /// Throws `.malformed` for anything but one DER list with nothing after it, for one without nextUpdate, and for one
    /// with a critical extension: such a list speaks of other certificates than its issuer's, or of some of them only.
    package init(der: [UInt8]) throws(EvidenceError) {
        guard der.count <= Self.maximumSize, let list = unsafe Self.parse(der) else {
            throw Self.malformed("not one X.509 revocation list in DER")
        }
        do throws(EvidenceError) {
            self.issuer = try unsafe Certificate.commonName(X509_CRL_get_issuer(list))
            self.validity = try unsafe Self.validity(of: list)
            try unsafe Self.checkExtensions(of: list)
        } catch {
            unsafe X509_CRL_free(list)
            throw error
        }
        unsafe self.list = list
    }

    deinit { unsafe X509_CRL_free(list) }

    /// Whether `authority` made it: the name and the signature, in the one scheme that it signs with.
    package func isSigned(by authority: Authority) throws(EvidenceError) -> Bool {
        defer { ERR_clear_error() }
        var algorithm: UnsafePointer<X509_ALGOR>?
        unsafe X509_CRL_get0_signature(list, nil, &algorithm)
        guard issuer == authority.name, unsafe authority.scheme.isStated(by: algorithm) else { return false }
        return try unsafe authority.withKey { unsafe X509_CRL_verify(list, $0) == 1 }
    }

    /// Whether it names the serial number of `certificate`, for whatever reason. False for a certificate of another issuer.
    package func revokes(_ certificate: Certificate) -> Bool {
        unsafe certificate.isListed(in: list) && certificate.issuer == issuer
    }
}

extension CertificateRevocationList {
    /// Whether it names a serial number, big-endian, for whatever reason: for a certificate of its issuer that is known by
    /// figures only.
    package func revokes(serial: [UInt8]) -> Bool {
        let number = unsafe ASN1_STRING_type_new(V_ASN1_INTEGER)
        defer { unsafe ASN1_STRING_free(number) }
        guard unsafe ASN1_STRING_set(number, serial, Int32(serial.count)) == 1 else { return true }
        var entry: OpaquePointer?
        return unsafe X509_CRL_get0_by_serial(list, &entry, number) != 0
    }
}

// MARK: - Reading libcrypto's structure

extension CertificateRevocationList {
    private static func parse(_ der: [UInt8]) -> OpaquePointer? {
        defer { ERR_clear_error() }
        return unsafe der.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            guard let list = unsafe d2i_X509_CRL(nil, &cursor, bytes.count) else { return nil }
            guard unsafe cursor == bytes.baseAddress.map({ unsafe $0 + bytes.count }) else {
                unsafe X509_CRL_free(list)
                return nil
            }
            return unsafe list
        }
    }

    private static func validity(of list: OpaquePointer) throws(EvidenceError) -> ClosedRange<Int64> {
        guard let from = unsafe Certificate.seconds(X509_CRL_get0_lastUpdate(list)),
            let next = unsafe X509_CRL_get0_nextUpdate(list), let to = unsafe Certificate.seconds(next), from <= to
        else { throw malformed("its dates are missing or cannot be read") }
        return from...to
    }

    private static func checkExtensions(of list: OpaquePointer) throws(EvidenceError) {
        for index in 0..<(unsafe X509_CRL_get_ext_count(list)) {
            guard let found = unsafe X509_CRL_get_ext(list, index), unsafe X509_EXTENSION_get_critical(found) == 1 else {
                continue
            }
            let oid = unsafe Certificate.dottedOID(X509_EXTENSION_get_object(found))
            throw malformed("critical extension \(oid) is not known here")
        }
    }

    private static func malformed(_ detail: String) -> EvidenceError {
        EvidenceError(.malformed, step: "revocation list", detail: detail)
    }
}
