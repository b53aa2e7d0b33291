// SPDX-License-Identifier: Apache-2.0

// ==================================================================================================================
//  THE PRIVATE KEYS BELOW ARE PUBLIC, AND WORTHLESS. They are test data, made once with openssl for this simulator;
//  anybody can sign with them. No program may trust their certificates unless the person who started it said so
//  (`cvm-clevis-broker serve --trust-simulator DIR`).
// ==================================================================================================================

/// The second branch of the simulated Genoa hierarchy, as PEM: keys that a cloud provider loads into its chips.
extension SimulatedKeys {
    /// RSA-4096, PKCS #8: signs VLEK certificates.
    static let asvk = """
        -----BEGIN PRIVATE KEY-----
        MIIJQgIBADANBgkqhkiG9w0BAQEFAASCCSwwggkoAgEAAoICAQC3QjqOSJvS3rR7
        N+ELuSYMsqCGfrSJuWfrGQrIg5xI92CtlLsMNpmnIArELUVPt10UP+SuKsAsaXyu
        3QY7xBJHGfmgiQzxFl8lVO8TtRJns3E+CxUl+EPQVwajx4U5P0tJexZ5EjZmlbkk
        4X+3pObMA6MS+BqNFp+j7h4yeGql6tpYsa1S5SMdwuGHjqCtcNRG2+8HG8AyJWl5
        WSa0m34fuBVBDEQjhblcCSDY2IIElnXK1VCw2qOOmU4kOu6AK6RkDo9u9L+k8hRe
        4yLW1FxBs21nBUMhMgDasLRSSXtkeCuDMXov8Y6UAjgIH/t7Ee4wpKi1+RZ5DULc
        X7R5n9f8Sw44Hzfzd/IuqS4fvhUgsJVEj6kD9n+IEXx7ITnCPZYClO/IzvYjzXVa
        de0D+G9YGaRIl8A1zjT3H6iInqse8P3wC2RUyFA1jTYsULWBgA03V/NeMwAn/Zn0
        L1IuH6Uk+L5ZGCs/zWkTnt90dbgEz3kpozkvN1zAi9K6cz4jsJPw/S5h3Zvk0bMU
        3aErno1Ff1a1Iavi6r7h54h0zpF5h3nbTJi9vKoc14iScddWVYM6pIIWV4q+Cl23
        krHPTvBLcOzwOzd8O0nHmUy5QsQ1AeQp6QLMV2xI16ROpmU4dZ5f5zGypFfZYiA9
        wFfERKV3jELD402liTXagnWOMRZYaQIDAQABAoICAADMZ+Rc0BShlK+MY8ehBhHf
        LzBpvLvRnOTvbXOZqKd7R1sC/G4DSLUC4117/45+iqsB0+WEjZ8SdjnLADHceAVf
        d99sX0M+vW+RkXC80Gn85EFUT/EBDAEjj+5MYxE2VR0wZI8g2Ubr3+ZdVBGVaBOp
        2MHGfg2rIu4E631OzkdsbHF8fLJiw+x+osl3x1kUSq5Ncnf8Rz2lDnLc/tmKa4i2
        78ut8QCbWNLE1ZhCGIKQbOWwWG1ip/EM15WudpjWAJH/ZeEihMUP2VH2szRuyEE2
        e72i5ZjMbfnLxapzkpom04YSWzTu0MZ9loejQpTKPO/lgH5RBuHy3gZYsSGctjmO
        pd8JgzDp9l8B4p9ufXKKcSZVKapMr0o/jJNwAgTcs9033gFMwO2NC4rhUMBKnA5c
        M+uElDfp3cnLBXmrfrzabjk6BOMJXFVO1HIJOvNCkbh9R0UYP2DMd90NE8nPIP1Z
        0GElByAze7z2CAdQ1pbeeAbUULQZbHfwiFGJMNP4dmtXC3ETLa52Orj4MBIX990/
        L+itxEfXr3g91I2H7qWAinDUknabuaEtP8sKM1GwrANfMhuylHcHosNdLNLCphZm
        VAK9xV4Rih13TBsJV3H7CVbG8wVk2e1EyQPg7A8pXbqhnnmKzAjToJ4kkicsvSx9
        94suWLFHuaRw0QBIa35xAoIBAQD04vu/QXjbTNPTHBmuPy39QgGX2SS+hSFAZQUa
        GXG2V/2QvWUIKjufd579Mc0XEl2EO1WNeJGqj7EET2aof2fSO/6cSi2O0TA0QWEx
        n2TjPvAHk1sGJ4SkepGz05YIIjxqJEtygY0QUBuD4inMqlMi5z0M6VIPsTmtHVaq
        WCeN/3juuqLOrfdHN+ifYaSfmn9pJi+fbwBcyAD5Hlpq7UXsUw0OYmfKyXBG4tQU
        sJ9CJOW3AWNWZL+zenBgokuLffJ+8jfJoLg9f/yX1CzKQq1LGiagZpsD8zHOmDdg
        ApvMRU1Rc18rSL/yQaJL2fCnhAdJrJebJfWESgxUuejuV42dAoIBAQC/k0VnVoOv
        ItCKcQQq6+0YLVICp1uvgMc3NYwphMLM2LOCkgF0w3vOJETEnWkri4tDaVzfUeBg
        D9vVv7IA48Mc+ilKUv4BvigVnJCRM9QEVN5W3dgV2Ji6QCwXeL8K+jSxkE9hcnqG
        tUzpce/Sn5oRUcI5p5i93AVxWFV5BoXbz+X+wTrLQYvRTgFKRkjGQp3cGfvloELW
        9JSezsLT9L6QMy/0Bqhrbey8HYm4B+x3zSLcXUJ7/YKw46+TC0DApiPCQiLWZEvb
        t/BfLPDjfqIYtp6ISBmkR9YXYbnEHjzXK0U2Skjg3Y6dcEuoY1Jdp02og7PBoD0i
        KyW1ckkceeI9AoIBAC90fQyHB4CX1sSmQWO+4o6dZ+mhLrms2tC7ws1X+O05B+4w
        hY+bf4pbh/fQ2smJyY2CYgXUQ4Yl6kvHh0FHzzqyXZiz1zhB2XGG6erP1KEk5SbS
        q2T5635kMjAC5KQW3lZDSkuaR1fN7kcUYL1ElG/DF9WUsU5RLbgaY10HUEL4Kts4
        V6xtkem/L9kS9u/m5KHfwILI4+0W5PlhpGvsJwyw22raLvrhJlzWP/rybypGNC3O
        mw124J9LLtPLH5Cci42GKsFr38grMSvK9hML8MEJBEs5Fvkg+5npbXGxj7d6Bo2u
        KdcddfTgOy8vwK71quPgClEKfhVwtAsHK9hkJxECggEADzZOiIoiIsIM9TFMN2xM
        g2L15CgN6726E/Q4kQNtxH5gormdS/xJ1HCk1Uf6le6avFudeE40FuyrdCmopNFx
        KNfkd3ZnnRPQcwbfo+gNqdpjXVp4UiPE3OVDmwmHggOkM4VWCFLiz9eNp+vYM01h
        Gob3eUSJqGnUNM/i2Z1e+7lidfw6AvHNfG1JRPCXzsZzaorVqcI0DIWXV5Tre5Ev
        oJuv7xyoOv+bkMR3rxlR+aFcZ0swgE/9FLa/tllqZuHKbR57TbLhIy1T9PrIlgf0
        LyoxJHk1MApUQb8M1TnhcuSItmrnppNxQ6crGs/oNm+Whw8OMw3aTOBIOkQ88fnr
        sQKCAQEA2Faa47RZrNZRNwaNB8Zbfo3j1Zoi/NM6p5BePiDukcLRaxLMRBQeBfXY
        nSmFmapeBbIwttTJl8oK9JigPhoJaM9rwwoxnFXdtzEKT0+VKb9CJPZU/ZwzDlDe
        mX2Y0DhjVNYHV6OA/mXas6H7HW5EsqXhMtG+FcV7uu0B2TtXkjQNBeM6sfPzRHmK
        nQAfpGJBMzwVE6PPjvJF9HMeOoNi9XVb4pfU8NeX2gO7DK3Ko9tX56VNbXtQfJ86
        XKvzftGUrwOR4wgwjuISvm77bcZhTC+p3jxgRd27zx4tfsBRQyksWLVi/VTU+KPi
        VPeunxQLPcGIu1Rr9n8oE7TaymZxyg==
        -----END PRIVATE KEY-----
        """

    /// P-384: signs reports in place of the VCEK.
    static let vlek = """
        -----BEGIN PRIVATE KEY-----
        MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDA7+3TLwHOaM4n/VWHq
        CXvo4jdAgB4jU6D3v2kWAZMPa/94GnCPhELOvXO8KTlY2iehZANiAASwU85D5Zde
        VMFPQhfoe3sopzV4cZRGuskF11zD4dulVbdq7Q286e4X9Z2GoYgdqE9mI/6GHPqb
        4OiUBcFrMnPuYVdxji/f64GFpODtiS1iHbp5tep3KyMHugMD0Y1Limw=
        -----END PRIVATE KEY-----
        """

    /// `CN=SEV-VLEK-Genoa`, by the ARK, 2024 to 2049.
    static let asvkCertificate = """
        -----BEGIN CERTIFICATE-----
        MIIF9TCCA6mgAwIBAgIDAgADMEEGCSqGSIb3DQEBCjA0oA8wDQYJYIZIAWUDBAIC
        BQChHDAaBgkqhkiG9w0BAQgwDQYJYIZIAWUDBAICBQCiAwIBMDBUMRwwGgYDVQQL
        DBNXb3J0aGxlc3MgVGVzdCBLZXlzMSAwHgYDVQQKDBdTaW11bGF0ZWQgTWljcm8g
        RGV2aWNlczESMBAGA1UEAwwJQVJLLUdlbm9hMB4XDTI0MDEwMTAwMDAwMFoXDTQ5
        MDEwMTAwMDAwMFowWTEcMBoGA1UECwwTV29ydGhsZXNzIFRlc3QgS2V5czEgMB4G
        A1UECgwXU2ltdWxhdGVkIE1pY3JvIERldmljZXMxFzAVBgNVBAMMDlNFVi1WTEVL
        LUdlbm9hMIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAt0I6jkib0t60
        ezfhC7kmDLKghn60ibln6xkKyIOcSPdgrZS7DDaZpyAKxC1FT7ddFD/krirALGl8
        rt0GO8QSRxn5oIkM8RZfJVTvE7USZ7NxPgsVJfhD0FcGo8eFOT9LSXsWeRI2ZpW5
        JOF/t6TmzAOjEvgajRafo+4eMnhqperaWLGtUuUjHcLhh46grXDURtvvBxvAMiVp
        eVkmtJt+H7gVQQxEI4W5XAkg2NiCBJZ1ytVQsNqjjplOJDrugCukZA6PbvS/pPIU
        XuMi1tRcQbNtZwVDITIA2rC0Ukl7ZHgrgzF6L/GOlAI4CB/7exHuMKSotfkWeQ1C
        3F+0eZ/X/EsOOB8383fyLqkuH74VILCVRI+pA/Z/iBF8eyE5wj2WApTvyM72I811
        WnXtA/hvWBmkSJfANc409x+oiJ6rHvD98AtkVMhQNY02LFC1gYANN1fzXjMAJ/2Z
        9C9SLh+lJPi+WRgrP81pE57fdHW4BM95KaM5LzdcwIvSunM+I7CT8P0uYd2b5NGz
        FN2hK56NRX9WtSGr4uq+4eeIdM6ReYd520yYvbyqHNeIknHXVlWDOqSCFleKvgpd
        t5Kxz07wS3Ds8Ds3fDtJx5lMuULENQHkKekCzFdsSNekTqZlOHWeX+cxsqRX2WIg
        PcBXxESld4xCw+NNpYk12oJ1jjEWWGkCAwEAAaNjMGEwHQYDVR0OBBYEFBdufkPC
        Zwte9KYqifJ7D+JCJcFSMB8GA1UdIwQYMBaAFE4Xjl0JvB1hn1DwXOcirLqFai0b
        MA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMEEGCSqGSIb3DQEBCjA0
        oA8wDQYJYIZIAWUDBAICBQChHDAaBgkqhkiG9w0BAQgwDQYJYIZIAWUDBAICBQCi
        AwIBMAOCAgEAgLUhhIezfAoJWpDlbG7ToINRjyyKt8J2T+fkToLj0a8R92q7TNEy
        ZMEDoERX5uYvqugdMnX5K0x7DgI1tNlRhRUQiu6JEOJUBgSVVMfTUp69aMQ6yWIv
        qENIBk+BeWRY1dJnISwkvtsBtmyZNZEf1E+uxJ8CARqvPln+eQ99d2q2u0Z3V2+K
        vVjeIFV4Mj1vROiDh9Enb0TTJ72+UTDpvgcY1B1YOMJBiV/Mgi6Gv6j7KpVOdQnR
        v2BmmDdg5xlICWftKkOZv9Ak7m33Knz67HWExvoNBZ5C5ZgfKrY+XAYoxhP49G3x
        t70VQBCAh31A+UPXzvcfonbl+f8l6GNiJjIBhRaLkQK4Pgy9rL+YZzMCIIbLayfj
        KChpZpDJGEWj3oH/Fo14OMD7XlSRro2h7vx1va7IdRD3PF2zQsoZjClUonnQ+TyY
        JYApmlpxRI1uqaVy1ek0V3EHIIOFF6pMZo2TCEjhkEITLh4iWplvolD2rNytj8hZ
        vC2czpgLHN2eDH1Bz62iJOKGtxNKIigW0FF/cZWvPA6R6pbcZkgUQPthLzu07loo
        1eCuM/ATA8Ky9NG1WNx6rGhzYAE0U/5TOUgUYNre67wIiOhdYtXd3r+D5WzMemo9
        UocfSrS4m9FIBQNtjKw3YdHaMVbNA0U07a33ouqf3PYlbHYMiv62Ucs=
        -----END CERTIFICATE-----
        """
}
