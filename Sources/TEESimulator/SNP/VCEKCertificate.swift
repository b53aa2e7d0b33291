// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

extension SimulatedCertificate {
    /// The certificate that AMD's key server would give for this chip at its reported TCB (VCEK and KDS specification,
    /// publication 57230 §3.1), for the fixed VCEK key, signed by the ASK.
    static func vcek(
        for settings: SNPSettings, key: SimulatedKey, issuer: SimulatedCertificate, issuerKey: SimulatedKey
    ) throws(SimulatorError) -> SimulatedCertificate {
        let vcek = try SimulatedCertificate()
        try vcek.setNames(commonName: settings.certificate.commonName, issuer: issuer)
        try vcek.setFrame(settings.certificate, key: key)
        let tcb = settings.certificate.tcb ?? settings.tcb.reported
        for (suffix, content) in extensions(settings, tcb: tcb) {
            try vcek.add(extension: "1.3.6.1.4.1.3704.1." + suffix, content)
        }
        try vcek.sign(with: issuerKey, pss: settings.certificate.pss)
        return vcek
    }

    /// In the order of real certificates. The chip's identifier stands raw, without a DER wrapping.
    private static func extensions(_ settings: SNPSettings, tcb: [UInt8]) -> [(String, [UInt8])] {
        [
            ("1", integer(0)), ("2", ia5(settings.certificate.productName)),
            ("3.1", integer(tcb[0])), ("3.2", integer(tcb[1])),
            ("3.4", integer(tcb[2])), ("3.5", integer(tcb[3])), ("3.6", integer(tcb[4])), ("3.7", integer(tcb[5])),
            ("3.3", integer(tcb[6])), ("3.8", integer(tcb[7])),
            ("4", settings.certificate.chip ?? settings.chip),
        ]
    }

    /// DER INTEGER: a leading zero keeps 128 and above positive.
    private static func integer(_ value: UInt8) -> [UInt8] { value < 128 ? [2, 1, value] : [2, 2, 0, value] }

    /// DER IA5String of less than 128 characters.
    private static func ia5(_ text: String) -> [UInt8] { [22, UInt8(truncatingIfNeeded: text.utf8.count)] + text.utf8 }

    private func setNames(commonName: String, issuer: SimulatedCertificate) throws(SimulatorError) {
        let issuerName = unsafe X509_get_subject_name(issuer.certificate)
        let subject = unsafe X509_NAME_new()
        defer { unsafe X509_NAME_free(subject) }
        let parts = [("OU", "Worthless Test Keys"), ("O", "Simulated Micro Devices"), ("CN", commonName)]
        var set = unsafe X509_set_issuer_name(certificate, issuerName) == 1
        for (field, value) in parts {
            set = unsafe set && X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8, value, -1, -1, 0) == 1
        }
        guard set, unsafe X509_set_subject_name(certificate, subject) == 1 else {
            throw SimulatorError("cannot name a certificate: \(opensslReason())")
        }
    }

    /// Version 3, serial 0 (as AMD's), the dates and the key.
    private func setFrame(_ overrides: CertificateOverrides, key: SimulatedKey) throws(SimulatorError) {
        guard unsafe X509_set_version(certificate, 2) == 1,
            unsafe ASN1_INTEGER_set(X509_get_serialNumber(certificate), 0) == 1,
            unsafe X509_gmtime_adj(X509_getm_notBefore(certificate), overrides.notBefore) != nil,
            unsafe X509_gmtime_adj(X509_getm_notAfter(certificate), overrides.notAfter) != nil,
            unsafe X509_set_pubkey(certificate, key.key) == 1
        else { throw SimulatorError("cannot fill a certificate: \(opensslReason())") }
    }
}
