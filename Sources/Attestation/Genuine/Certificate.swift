// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit
package import TEE

/// An X.509 certificate as AMD and Intel make them, parsed by libcrypto. Parsing says nothing about who made it. Thread-safe:
/// nothing in it changes.
@safe package final class Certificate: @unchecked Sendable {
    private let x509: OpaquePointer
    let der: [UInt8]
    /// Common names.
    package let subject: String
    let issuer: String
    /// Serial number, big-endian without leading zeros.
    let serial: [UInt8]
    /// Seconds since 1970, both ends included.
    let validity: ClosedRange<Int64>
    /// SubjectPublicKeyInfo, DER.
    let publicKey: [UInt8]
    /// Contents by OID in dotted form.
    let extensions: [String: [UInt8]]

    /// Real ones have 1.3 KiB; more than this is refused unread.
    static let maximumSize = 8 << 10

    /// Throws `.malformed` for anything but one DER certificate with nothing after it.
    package init(der: [UInt8]) throws(EvidenceError) {
        guard der.count <= Self.maximumSize, let x509 = unsafe Self.parse(der) else {
            throw Self.malformed("not one X.509 certificate in DER")
        }
        do throws(EvidenceError) {
            self.subject = try unsafe Self.commonName(X509_get_subject_name(x509))
            self.issuer = try unsafe Self.commonName(X509_get_issuer_name(x509))
            self.serial = try unsafe Self.serial(of: x509)
            self.validity = try unsafe Self.validity(of: x509)
            self.publicKey = try unsafe Self.publicKey(of: x509)
            self.extensions = try unsafe Self.extensions(of: x509)
        } catch {
            unsafe X509_free(x509)
            throw error
        }
        self.der = der
        unsafe self.x509 = x509
    }

    /// The same from a PEM file's first certificate: for anchors, which the operator names, and not for what a host sends.
    package convenience init(pemOrDER bytes: [UInt8]) throws(EvidenceError) {
        guard bytes.first == UInt8(ascii: "-") else {
            try self.init(der: bytes)
            return
        }
        try self.init(der: try Self.der(fromPEM: bytes))
    }

    deinit { unsafe X509_free(x509) }

    static func malformed(_ detail: String) -> EvidenceError {
        EvidenceError(.malformed, step: "certificate", detail: detail)
    }
}

// MARK: - Signatures

extension Certificate {
    /// Whether `authority` signed it, in the one scheme that it signs with. libcrypto verifies over the bytes that were parsed.
    package func isSigned(by authority: Authority) throws(EvidenceError) -> Bool {
        defer { ERR_clear_error() }
        var algorithm: UnsafePointer<X509_ALGOR>?
        unsafe X509_get0_signature(nil, &algorithm, x509)
        guard unsafe authority.scheme.isStated(by: algorithm) else { return false }
        return try unsafe authority.withKey { unsafe X509_verify(x509, $0) == 1 }
    }

    /// Whether its key is one on P-384.
    var hasP384Key: Bool { hasKey(on: "secp384r1") }

    /// Whether its key is one on P-256.
    var hasP256Key: Bool { hasKey(on: "prime256v1") }

    private func hasKey(on curve: String) -> Bool {
        var name = [CChar](repeating: 0, count: 32)
        defer { ERR_clear_error() }
        guard let key = unsafe X509_get0_pubkey(x509),
            unsafe EVP_PKEY_get_group_name(key, &name, name.count, nil) == 1
        else { return false }
        return name.prefix { $0 != 0 }.elementsEqual(curve.utf8.map(CChar.init))
    }

    /// Whether `signature` (r ‖ s, 48 bytes each, big-endian) is its P-384 key's over `message` with SHA-384.
    func verifies(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        defer { ERR_clear_error() }
        guard hasP384Key, signature.count == 96, let key = unsafe X509_get0_pubkey(x509) else { return false }
        return unsafe cvm_verify_ecdsa(key, EVP_sha384(), signature, 48, message, message.count) == 1
    }

    /// Whether `signature` (r ‖ s, 32 bytes each, big-endian) is its P-256 key's over `message` with SHA-256.
    func verifiesES256(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        defer { ERR_clear_error() }
        guard hasP256Key, signature.count == 64, let key = unsafe X509_get0_pubkey(x509) else { return false }
        return unsafe cvm_verify_ecdsa(key, EVP_sha256(), signature, 32, message, message.count) == 1
    }

    /// Whether it says that its key may sign certificates.
    var isAuthority: Bool {
        defer { ERR_clear_error() }
        return unsafe X509_check_ca(x509) == 1
    }

    /// Whether `list` names its serial number. The list's issuer must be its own, which whoever calls has checked.
    func isListed(in list: OpaquePointer) -> Bool {
        var entry: OpaquePointer?
        return unsafe X509_CRL_get0_by_serial(list, &entry, X509_get_serialNumber(x509)) != 0
    }
}

// MARK: - Reading libcrypto's structure

extension Certificate {
    private static func parse(_ der: [UInt8]) -> OpaquePointer? {
        defer { ERR_clear_error() }
        return unsafe der.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            guard let x509 = unsafe d2i_X509(nil, &cursor, bytes.count) else { return nil }
            guard unsafe cursor == bytes.baseAddress.map({ unsafe $0 + bytes.count }) else {
                unsafe X509_free(x509)
                return nil
            }
            return unsafe x509
        }
    }

    private static func der(fromPEM text: [UInt8]) throws(EvidenceError) -> [UInt8] {
        defer { ERR_clear_error() }
        let parsed = unsafe withBIO(over: text) { unsafe PEM_read_bio_X509($0, nil, nil, nil) }
        guard let x509 = unsafe parsed else { throw malformed("no certificate in this PEM") }
        defer { unsafe X509_free(x509) }
        return try unsafe encoding { unsafe i2d_X509(x509, $0) }
    }

    private static func publicKey(of x509: OpaquePointer) throws(EvidenceError) -> [UInt8] {
        guard let key = unsafe X509_get0_pubkey(x509) else {
            ERR_clear_error()
            throw malformed("its key cannot be read")
        }
        return try unsafe encoding { unsafe i2d_PUBKEY(key, $0) }
    }

    /// What an i2d function writes.
    static func encoding(
        _ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
    ) throws(EvidenceError) -> [UInt8] {
        var start: UnsafeMutablePointer<UInt8>?
        let count = unsafe write(&start)
        guard count > 0, let bytes = unsafe start else {
            throw EvidenceError(.failed, step: "certificate", detail: opensslReason())
        }
        defer { unsafe CRYPTO_free(bytes, nil, 0) }
        return unsafe Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }

    /// The one common name.
    static func commonName(_ name: OpaquePointer?) throws(EvidenceError) -> String {
        let first = unsafe X509_NAME_get_index_by_NID(name, NID_commonName, -1)
        guard first >= 0, unsafe X509_NAME_get_index_by_NID(name, NID_commonName, first) < 0,
            let value = unsafe X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, first))
        else { throw malformed("a name without exactly one CN") }
        return unsafe String(decoding: contents(of: value), as: UTF8.self)
    }

    private static func serial(of x509: OpaquePointer) throws(EvidenceError) -> [UInt8] {
        guard let serial = unsafe X509_get0_serialNumber(x509), unsafe ASN1_STRING_type(serial) == V_ASN1_INTEGER else {
            throw malformed("its serial number is negative")
        }
        return unsafe contents(of: serial)
    }

    private static func validity(of x509: OpaquePointer) throws(EvidenceError) -> ClosedRange<Int64> {
        guard let from = unsafe seconds(X509_get0_notBefore(x509)), let to = unsafe seconds(X509_get0_notAfter(x509)),
            from <= to
        else { throw malformed("its dates cannot be read") }
        return from...to
    }

    static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64? {
        guard let epoch = unsafe ASN1_TIME_set(nil, 0) else { return nil }
        defer { unsafe ASN1_STRING_free(epoch) }
        var (days, seconds): (Int32, Int32) = (0, 0)
        guard unsafe ASN1_TIME_diff(&days, &seconds, epoch, time) == 1 else { return nil }
        return Int64(days) * 86_400 + Int64(seconds)
    }

    /// Throws `.malformed` where one occurs twice, or is critical and not one that libcrypto handles.
    private static func extensions(of x509: OpaquePointer) throws(EvidenceError) -> [String: [UInt8]] {
        var extensions: [String: [UInt8]] = [:]
        for index in 0..<(unsafe X509_get_ext_count(x509)) {
            guard let found = unsafe X509_get_ext(x509, index), let value = unsafe X509_EXTENSION_get_data(found) else {
                continue
            }
            let oid = unsafe dottedOID(X509_EXTENSION_get_object(found))
            if unsafe X509_EXTENSION_get_critical(found) == 1, unsafe X509_supported_extension(found) != 1 {
                throw malformed("critical extension \(oid) is not known here")
            }
            guard extensions.updateValue(unsafe contents(of: value), forKey: oid) == nil else {
                throw malformed("extension \(oid) occurs twice")
            }
        }
        return extensions
    }

    static func dottedOID(_ object: OpaquePointer?) -> String {
        var text = [CChar](repeating: 0, count: 128)
        unsafe OBJ_obj2txt(&text, Int32(text.count), object, 1)
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func contents(of string: UnsafePointer<ASN1_STRING>) -> [UInt8] {
        unsafe Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data(string), count: Int(ASN1_STRING_length(string))))
    }
}
