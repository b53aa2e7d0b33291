// SPDX-License-Identifier: Apache-2.0
internal import TEE

extension SimulatedCertificate {
    /// The certificate that AMD would give for this chip, or the provider it works for, at its reported TCB (VCEK and KDS
    /// specification, publication 57230 §3.1): for the fixed VCEK or VLEK key, signed by ASK or ASVK.
    static func endorsement(
        for settings: SNPSettings, key: SimulatedKey, issuer: SimulatedCertificate, issuerKey: SimulatedKey
    ) throws(SimulatorError) -> SimulatedCertificate {
        let overrides = settings.certificate
        let certificate = try SimulatedCertificate()
        let name = overrides.commonName ?? "SEV-\(settings.signingKey.name)"
        try certificate.setNames(
            [("OU", "Worthless Test Keys"), ("O", "Simulated Micro Devices"), ("CN", name)], issuer: issuer)
        // AMD's serial is 0 for each.
        try certificate.setFrame(serial: [0], validity: overrides.notBefore...overrides.notAfter, key: key)
        for (suffix, content) in extensions(settings) {
            try certificate.add(extension: "1.3.6.1.4.1.3704.1." + suffix, content)
        }
        try certificate.sign(with: issuerKey, pss: overrides.pss)
        return certificate
    }

    /// In the order of real certificates. The chip's identifier stands raw, without a DER wrapping.
    private static func extensions(_ settings: SNPSettings) -> [(String, [UInt8])] {
        let tcb = settings.certificate.tcb ?? settings.tcb.reported
        let level = { (index: Int) in DER.integer(UInt16(tcb[index])) }
        let whose =
            settings.signingKey == .vcek
            ? ("4", settings.certificate.chip ?? settings.chip) : ("5", DER.ia5(SNPSettings.provider))
        return [
            ("1", DER.integer(0)), ("2", DER.ia5(settings.certificate.productName)), ("3.1", level(0)), ("3.2", level(1)),
            ("3.4", level(2)), ("3.5", level(3)), ("3.6", level(4)), ("3.7", level(5)), ("3.3", level(6)),
            ("3.8", level(7)), whose,
        ]
    }
}
