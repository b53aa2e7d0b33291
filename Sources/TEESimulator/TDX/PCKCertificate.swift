// SPDX-License-Identifier: Apache-2.0

extension SimulatedCertificate {
    /// The certificate that Intel would give for the platform's PCK (Intel SGX PCK Certificate and Certificate Revocation List
    /// Profile Specification), for the fixed PCK key, signed by the platform CA.
    static func pck(
        for settings: TDXSettings, key: SimulatedKey, issuer: SimulatedCertificate, issuerKey: SimulatedKey
    ) throws(SimulatorError) -> SimulatedCertificate {
        let flaws = settings.flaws
        let certificate = try SimulatedCertificate()
        try certificate.setNames(
            [("CN", "Intel SGX PCK Certificate"), ("O", "Simulated Silicon"), ("C", "US")], issuer: issuer)
        let serial = flaws.hasRevokedPCK ? PCKSerial.revoked : PCKSerial.usual
        try certificate.setFrame(serial: serial, validity: flaws.notBefore...flaws.notAfter, key: key)
        // Digital signature, non-repudiation; no authority.
        try certificate.add(extension: "2.5.29.15", critical: true, [0x03, 0x02, 0x06, 0xc0])
        try certificate.add(extension: "2.5.29.19", critical: true, DER.sequence())
        try certificate.add(extension: sgx, sgxExtension(settings))
        try certificate.signECDSA(with: issuerKey)
        return certificate
    }

    private static let sgx = "1.2.840.113741.1.13.1"

    /// What the platform is: each value behind its own number below ``sgx``.
    private static func sgxExtension(_ settings: TDXSettings) -> [UInt8] {
        DER.sequence(
            pair("1", DER.octets(settings.ppid)), pair("2", tcb(settings)), pair("3", DER.octets(SimulatedTCB.pceID)),
            pair("4", DER.octets(TDXSettings.fmspc)), pair("5", DER.enumerated(1)),
            pair("6", DER.octets(settings.ppid.map { ~$0 })),
            pair(
                "7",
                DER.sequence(
                    pair("7.1", DER.boolean(true)), pair("7.2", DER.boolean(true)), pair("7.3", DER.boolean(true)))))
    }

    private static func tcb(_ settings: TDXSettings) -> [UInt8] {
        let components = settings.components.enumerated().map { pair("2.\($0 + 1)", DER.integer(UInt16($1))) }
        let rest = [pair("2.17", DER.integer(settings.pceSVN)), pair("2.18", DER.octets(settings.components))]
        return DER.sequence(of: components + rest)
    }

    private static func pair(_ number: String, _ value: [UInt8]) -> [UInt8] {
        DER.sequence(DER.identifier("\(sgx).\(number)"), value)
    }
}

/// Serial numbers of PCK certificates, 20 bytes, positive.
enum PCKSerial {
    static let usual = [UInt8](repeating: 0x51, count: 20)
    /// On the platform CA's revocation list.
    static let revoked = [UInt8](repeating: 0x52, count: 20)
}
