// SPDX-License-Identifier: Apache-2.0

/// Intel's root, compiled in as figures. All that Intel says of its platforms, PCK certificates, TCB information and
/// revocation lists, is signed below it.
///
/// Intel publishes it at `https://certificates.trustedservices.intel.com/Intel_SGX_Provisioning_Certification_RootCA.pem`.
/// The figures are the subject's common name, the certificate's serial number and validity in seconds since 1970, SHA-256 of
/// its DER, and the coordinates of its key on P-256. To compare: `openssl x509 -noout -text -fingerprint -sha256`.
enum IntelFigures {
    static let root = Authority(
        name: "Intel SGX Root CA", serial: "22650cd65a9d3489f383b49552bf501b392706ac",
        validity: 1_526_899_510...2_524_607_999,
        fingerprint: "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3",
        point: """
            0ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f567918e2edc88e40d860bd0cc4ee26aacc988e505a953558c\
            453f6b0904ae7394
            """)

    /// 939a7233-f79c-4ca9-940a-0db3957f0607: Intel's quoting enclave, in a quote's header.
    static let qeVendor: [UInt8] = [
        0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
    ]

    /// Common names (Intel SGX PCK Certificate and Certificate Revocation List Profile Specification, §1.3).
    static let pckName = "Intel SGX PCK Certificate"
    static let processorAuthorityName = "Intel SGX PCK Processor CA"
    static let pckAuthorityNames = ["Intel SGX PCK Platform CA", processorAuthorityName]
    static let tcbSigningName = "Intel SGX TCB Signing"
}
