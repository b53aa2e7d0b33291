// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import Glibc
internal import PinKit

/// A certificate revocation list of the simulated hierarchy.
enum SimulatedRevocationList {
    /// Whose signatures it bears.
    enum Vendor {
        /// RSASSA-PSS with SHA-384.
        case amd
        /// ECDSA with SHA-256.
        case intel
    }

    /// DER, version 2. `window`: issue and next update in seconds since 1970; `serials`: big-endian, of the certificates that
    /// are revoked.
    static func der(
        of issuer: SimulatedCertificate, signedBy key: SimulatedKey, as vendor: Vendor, revoking serials: [[UInt8]],
        window: ClosedRange<Int64>
    ) throws(SimulatorError) -> [UInt8] {
        let list = unsafe X509_CRL_new()
        let issued = unsafe ASN1_TIME_set(nil, time_t(window.lowerBound))
        let next = unsafe ASN1_TIME_set(nil, time_t(window.upperBound))
        defer {
            unsafe X509_CRL_free(list)
            unsafe ASN1_TIME_free(issued)
            unsafe ASN1_TIME_free(next)
        }
        guard unsafe X509_CRL_set_version(list, 1) == 1,
            unsafe X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer.certificate)) == 1,
            unsafe X509_CRL_set1_lastUpdate(list, issued) == 1, unsafe X509_CRL_set1_nextUpdate(list, next) == 1
        else { throw failure }
        for serial in serials { try unsafe add(serial, at: issued, to: list) }
        guard unsafe X509_CRL_sort(list) == 1 else { throw failure }
        let isSigned =
            switch vendor {
            case .amd: unsafe key.signs(pss: true) { unsafe X509_CRL_sign_ctx(list, $0) }
            case .intel: unsafe X509_CRL_sign(list, key.key, EVP_sha256()) > 0
            }
        guard isSigned else { throw failure }
        let count = Int(unsafe i2d_X509_CRL(list, nil))
        guard count > 0 else { throw failure }
        var bytes = [UInt8](repeating: 0, count: count)
        unsafe bytes.withUnsafeMutableBufferPointer { buffer in
            var cursor = buffer.baseAddress
            _ = unsafe i2d_X509_CRL(list, &cursor)
        }
        return bytes
    }

    private static func add(
        _ serial: [UInt8], at time: UnsafeMutablePointer<ASN1_TIME>?, to list: OpaquePointer?
    ) throws(SimulatorError) {
        let number = unsafe BN_bin2bn(serial, Int32(serial.count), nil)
        let integer = unsafe BN_to_ASN1_INTEGER(number, nil)
        let entry = unsafe X509_REVOKED_new()
        defer {
            unsafe BN_free(number)
            unsafe ASN1_INTEGER_free(integer)
        }
        // The list takes the entry over where it could be added.
        guard unsafe X509_REVOKED_set_serialNumber(entry, integer) == 1,
            unsafe X509_REVOKED_set_revocationDate(entry, time) == 1, unsafe X509_CRL_add0_revoked(list, entry) == 1
        else {
            unsafe X509_REVOKED_free(entry)
            throw failure
        }
    }

    private static var failure: SimulatorError { SimulatorError("cannot make a revocation list: \(opensslReason())") }
}
