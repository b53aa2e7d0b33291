// SPDX-License-Identifier: Apache-2.0

// ==================================================================================================================
//  THE PRIVATE KEYS BELOW ARE PUBLIC, AND WORTHLESS. They are test data, made once with openssl for this simulator;
//  anybody can sign with them. No program may trust their certificates unless the person who started it said so
//  (`cvm-clevis-broker serve --trust-simulator DIR`).
// ==================================================================================================================

/// The keys and the three upper certificates of the simulated TDX hierarchy, as PEM; all keys are P-256.
enum SimulatedIntelKeys {
    /// PKCS #8: signed the three certificates below, and signs the revocation list of the authorities.
    static let root = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgka3tQWtXpcFhpHnz
        Ex/As5R6R+8TT83Z5Xso6CorQpChRANCAAT7KQROz+U6Nac5unltoqhkpA9L8TiG
        QuhfN3sHGFQV68MVqbCz4RAzlShOoUE/T/fXXujWZ0owWCa3dTV8Q9L/
        -----END PRIVATE KEY-----
        """

    /// Signs PCK certificates and their revocation list.
    static let platformCA = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/y/God8Hx95GJAvb
        itUHpxLG2qiGrkblOCbbOsBCMsOhRANCAAQYgAq4B8jIsKi5ha5islBLy00CsOUr
        mai3UlOnsg5gCwVYkVEdKftXMCZRIhBp74OoAWG6a/8iCDFUkgpTpcdu
        -----END PRIVATE KEY-----
        """

    /// Signs TCB info and QE identity.
    static let tcbSigning = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgK+bqrJKRb/zTiSbX
        pLQeNZbxS1nCya/YjNoAYL73v9WhRANCAAQpnqnY+kOl8yyRaX0919vBaSOTn1bz
        URMfTQut17eRhz89PAznevmGOe0jl5o30EFVxsbWISWx0siWSn0aGQWy
        -----END PRIVATE KEY-----
        """

    /// The platform's: signs the quoting enclave's report.
    static let pck = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4trnfzm0SH5Xhnq/
        MAPvyy7w2zFaPCiS+F8EISK8J36hRANCAAR4gf+/k6R56oeTcngXPR9r2IJH57sk
        Q6ykbd/2fdoAgbMLkxJ+Onoqtm/tZpmB4kuMcR7AP9JWtFtx+lsBz883
        -----END PRIVATE KEY-----
        """

    /// The quoting enclave's: signs quotes.
    static let attestation = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWOQQOzB3idDTkFVa
        X2JQM/fkpiJAwCbb22FgF313fXyhRANCAATwMmflOlKWquBXBYilGr3N3n4xPdg+
        StZwbKkHv+4xLdmr2IbEKvUVpAruDjfHgwpSRJoZ/F9cxwlgk2tSXAYZ
        -----END PRIVATE KEY-----
        """

    /// `CN=Intel SGX Root CA, O=Simulated Silicon`, 2024 to 2049.
    static let rootCertificate = """
        -----BEGIN CERTIFICATE-----
        MIICGDCCAb2gAwIBAgIUMVt3MVCC29VhRJN0EZjk42PwFMYwCgYIKoZIzj0EAwIw
        aDEaMBgGA1UEAwwRSW50ZWwgU0dYIFJvb3QgQ0ExGjAYBgNVBAoMEVNpbXVsYXRl
        ZCBTaWxpY29uMRQwEgYDVQQHDAtTYW50YSBDbGFyYTELMAkGA1UECAwCQ0ExCzAJ
        BgNVBAYTAlVTMB4XDTI0MDEwMTAwMDAwMFoXDTQ5MDEwMTAwMDAwMFowaDEaMBgG
        A1UEAwwRSW50ZWwgU0dYIFJvb3QgQ0ExGjAYBgNVBAoMEVNpbXVsYXRlZCBTaWxp
        Y29uMRQwEgYDVQQHDAtTYW50YSBDbGFyYTELMAkGA1UECAwCQ0ExCzAJBgNVBAYT
        AlVTMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE+ykETs/lOjWnObp5baKoZKQP
        S/E4hkLoXzd7BxhUFevDFamws+EQM5UoTqFBP0/3117o1mdKMFgmt3U1fEPS/6NF
        MEMwHQYDVR0OBBYEFGXH9mBbUsRHOyQzsRrNTWxX/sALMA4GA1UdDwEB/wQEAwIB
        BjASBgNVHRMBAf8ECDAGAQH/AgEBMAoGCCqGSM49BAMCA0kAMEYCIQCAdUu1maxK
        3SJWJ3gS12z6J1hcOuxsuyc08X5SRzW3aAIhAJRPLB8RQdxOrfrdzD8byAA3DsG6
        9F7u0YhVcI07B0ec
        -----END CERTIFICATE-----
        """

    /// `CN=Intel SGX PCK Platform CA`, by the root.
    static let platformCACertificate = """
        -----BEGIN CERTIFICATE-----
        MIICPzCCAeagAwIBAgIUYqIQAKw26mtQECSqzjJzdM2X9FQwCgYIKoZIzj0EAwIw
        aDEaMBgGA1UEAwwRSW50ZWwgU0dYIFJvb3QgQ0ExGjAYBgNVBAoMEVNpbXVsYXRl
        ZCBTaWxpY29uMRQwEgYDVQQHDAtTYW50YSBDbGFyYTELMAkGA1UECAwCQ0ExCzAJ
        BgNVBAYTAlVTMB4XDTI0MDEwMTAwMDAwMFoXDTQ5MDEwMTAwMDAwMFowcDEiMCAG
        A1UEAwwZSW50ZWwgU0dYIFBDSyBQbGF0Zm9ybSBDQTEaMBgGA1UECgwRU2ltdWxh
        dGVkIFNpbGljb24xFDASBgNVBAcMC1NhbnRhIENsYXJhMQswCQYDVQQIDAJDQTEL
        MAkGA1UEBhMCVVMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQYgAq4B8jIsKi5
        ha5islBLy00CsOUrmai3UlOnsg5gCwVYkVEdKftXMCZRIhBp74OoAWG6a/8iCDFU
        kgpTpcduo2YwZDAdBgNVHQ4EFgQUDe42ruxp1mK2CooR2PF4MFB6fWkwHwYDVR0j
        BBgwFoAUZcf2YFtSxEc7JDOxGs1NbFf+wAswDgYDVR0PAQH/BAQDAgEGMBIGA1Ud
        EwEB/wQIMAYBAf8CAQAwCgYIKoZIzj0EAwIDRwAwRAIgerdXx2NJyrLHoRLc4TFg
        fDrocm7rIGw5EBqbRTm66BACICLwn5kessL0K3FW7UiYqtjq8NT5Qc6SQfjL6eYQ
        pDL6
        -----END CERTIFICATE-----
        """

    /// `CN=Intel SGX TCB Signing`, by the root.
    static let tcbSigningCertificate = """
        -----BEGIN CERTIFICATE-----
        MIICNjCCAdygAwIBAgIUYRm9Mk5Z3MIt80LvX99ao8p/te0wCgYIKoZIzj0EAwIw
        aDEaMBgGA1UEAwwRSW50ZWwgU0dYIFJvb3QgQ0ExGjAYBgNVBAoMEVNpbXVsYXRl
        ZCBTaWxpY29uMRQwEgYDVQQHDAtTYW50YSBDbGFyYTELMAkGA1UECAwCQ0ExCzAJ
        BgNVBAYTAlVTMB4XDTI0MDEwMTAwMDAwMFoXDTQ5MDEwMTAwMDAwMFowbDEeMBwG
        A1UEAwwVSW50ZWwgU0dYIFRDQiBTaWduaW5nMRowGAYDVQQKDBFTaW11bGF0ZWQg
        U2lsaWNvbjEUMBIGA1UEBwwLU2FudGEgQ2xhcmExCzAJBgNVBAgMAkNBMQswCQYD
        VQQGEwJVUzBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCmeqdj6Q6XzLJFpfT3X
        28FpI5OfVvNREx9NC63Xt5GHPz08DOd6+YY57SOXmjfQQVXGxtYhJbHSyJZKfRoZ
        BbKjYDBeMB0GA1UdDgQWBBQN+2E/35IIiljd0mJjw6evsUF8wzAfBgNVHSMEGDAW
        gBRlx/ZgW1LERzskM7EazU1sV/7ACzAOBgNVHQ8BAf8EBAMCBsAwDAYDVR0TAQH/
        BAIwADAKBggqhkjOPQQDAgNIADBFAiEAvHOtGtxE7CnyiCeW3dotn2x6/QBWEMvl
        HMj3Knvg53sCIHIG/ZtU2KKlYGN8yc5/MQx3hBAwQSwlBcDfZI0N7f0V
        -----END CERTIFICATE-----
        """
}
