// SPDX-License-Identifier: Apache-2.0

// ==================================================================================================================
//  THE PRIVATE KEYS BELOW ARE PUBLIC, AND WORTHLESS. They are test data, made once with openssl for this simulator;
//  anybody can sign with them. They are fixed because an RSA-4096 key takes seconds to make. No program may trust
//  their certificates unless the person who started it said so (`cvm-clevis-broker serve --trust-simulator DIR`).
// ==================================================================================================================

/// The keys and the two upper certificates of the simulated Genoa hierarchy, as PEM.
enum SimulatedKeys {
    /// RSA-4096, PKCS #8: signed both certificates below; nothing signs with it at run time.
    static let ark = """
        -----BEGIN PRIVATE KEY-----
        MIIJQQIBADANBgkqhkiG9w0BAQEFAASCCSswggknAgEAAoICAQCl/JTM4Dy9tdeI
        yu59TwAJ68wYnUBjPkcHNeBKhoKoYlPvpyqmslaT4hsajhU0KBDmafkDH4nIlFNJ
        wljSmBvZUYNa+av2yKP5RbkcWXh5iml60e08VPiUXoin2piMtH/pYBOQEZBZcQCG
        NMWOQL3yUvxEIqZce0eavagITCdtTxSOMrCx+zODLU5j6ITmAB+4ciRGpEkiRsC5
        62mvFSABKfdMFG92qkUoqtVHUmfdeLFl4FxXMNW5i/hnOecZQl+K41L7tYnOR6uP
        1wK7rhOKPg09Eqi6f++WamPCSzxcQbPhXig6R3Oop6DEOWQDbqNuWqE2obQTUzTy
        DwcAsHFq6UcefdnlMFweoHAjRBvqpytdKGDLaA+NMSxSfTIOLVrfdjYUC/Ly5QQH
        0tdgTzJk0VhgIgUJiwmkHVYBpuNBxmdELD6VcocSTv+wSucHWY6LPG0Mp7saDfn5
        yoxMdGsIBbK5Elxj/aNsJ3QCzY8OO7Ue/rUSnKgSCvItd7XyU3ZAhIAwbfoCaZH1
        +SAqjQNOZSpiB/yuZRdFdomXi8KeD4ymMC4SxaOHIhRDtzMlmhVh1/+XtBZEB/Ls
        wSYIei9WxWD2N4fjdkbplzEDA4rmYn6XpnZr2zyEwyd2Zgr2Ls+9pQLIfHM4wMlj
        WLoEKXG9ShzATCFAmgNzTlGMcA3QVQIDAQABAoICAASJwlVTo1vm3XMbZHSlzn3d
        WSHD8t9QjZQwSeb5UUsvQ28GJmlf70DXaexKipPeRvZo9IQivmg7sSDcINEpLXtX
        xvw1K7MK/nvk0+nNgtJRd9ublh16XHPm0PYRFbvX5FAwiBH+GPDV4RcwpcVJsEFj
        n9gKpnry0YNbWhbxlhMsAIdFJYWVAge9GytdT3zf75euyNHrN412jibHI+2Qg0tL
        QKKidswX90OxLM5ol137wpKv4dzUZ5OAgZS46/OWpMWt72l7jiTHDg6+glzSDPpQ
        aTMMdoznmiWGC4VjyM1KhcazBbojx/eKSOzBSojssA7NVYkIpMOLS9auYhk67O7d
        fJDKV2FBpwevzlNOmluIGPzYLbjrsDz6kmJIDYnMysM34S0E2+sVKVsL4rLXTVsW
        yYYmV8dugbxBOD429LF+CiA8SRKehFAFpQ8qT4pk2PE/iSum0bwhEdfEIl+o/AJx
        hUqQ4cazxMWRDmW7qbjZA1AzeBJJ1KBZLs//pBBDfXGds/dLowqcSyG1myr4iBud
        BBhfduqpbrIOmMrUw53E6zI0UZRjCNL1of6SsvsPskyGnYTQz9p5xvlgyyrqPKYp
        9TlMxhN2M4Z7TAyPKjOiy+vbk0owFGgk1PC/7ZuFYkJYyH58lDSv0i2DeldXWGzR
        Yur+hc48eHDbIGASUyFFAoIBAQDTcU81DA769zZffptnMEwoQWERJXhPUCzB5eGw
        Y00mAfe8Eo7l63JGeVNuH5jBGRFVM8NygnUZgm/L91z5s0XGf1xsO9HS6PSI/pWr
        A/gdxoK10+xz9ZH4ZGo5u9N1hACMXSkTwQutIF7A1R9rE4YSs8W1CDNwVi0YZm6S
        I+fsJty+VhJ2ENwsdK9g1d5DlfwEB9Um6CMAQ0QQfiKgDaOuI1iI2+euEGWQII+h
        mVuIRdn5wExDni4MOrLiLuxoobqgp053wCvJl80Y4qdds0na3c9QvpPlWfZbj53R
        TqsJeYS3EW2VLD8KSsGsNQyxHtsYlUxz/YmESSqC1FQeZtRrAoIBAQDI9w8/aEEa
        AeBVWBGhpbwl+QX0LOinmRO9LMXj1gEhq3v+qVl7Rr8Sb1uMjwrnxDtu6T41Vc6b
        8AWE4DIXq2t6kviFj2wLNfh2CnmcYr6ZADnVmrL90xykofxS7imXxEdKgn97dSSa
        Mf7S5SBMEnnL4tuP320lVM/bqce/TNi4C/BBJvldKN0uxzVm36krLxDIcf1E2ZsI
        DW17sn/8PrBLumi51vCDGXYV8dhjrFcEYuMIj1PoRcgy492qT1xyT9wtnRnZEnav
        UJMaee0ehLdj4ydU5aAZ+boW+NwHWruWlLJHofb/AnGxoLOq/0NossGz1qoEFlke
        450fjRuWUR4/AoIBAAmCB+DHyQiqAyzqIYzTVClfP0EpIS7X2Rti/fITlQ2Hex9e
        6kQWgU3/+Kt0CkdsnCXrrPdCPIfIIMTYO7sSv6l8YqiPTBEi3pQmdo55IDgejBQn
        EnPocAbuZQRxmMGpDOlC6yzzOlYvpXMgYkhLWXUP1m0ckEuV5HM7b+9sY+pvmO+K
        KUxb17q8CILfOx5o6Ss5OvGD8Mb7P11Kfr4Zvul+t2V4FgPyws5nWG4Y2k/XbETZ
        y9QikcmE/jRDjefqldzRiSrDXnSzOcrLrmD9Re3smXz1BOuETxqw65TU58YGS9x7
        kSTrF26cC/d1bzuruohxdj2lAgEL1TiK2bmAQD8CggEAa233DrRSqO571+OeeUU5
        0SrQDfm73WwtayF2IBeUv0UGodox5X6qQdaZoAgPkloKU34ILUbTjfS/Xori/Fg8
        ume6xtsmrM+LJL7wx7LZpLzELfXm3V1voGqfkk2Smnjoi2I7d+nlSTCUwnSN0VzH
        E0EQklaj6CLwgsK97vvLlod7Rbjp8O0ZYBpJ59aEfntIg368H4QcJi/XaRrA5D02
        zSS3OzE1nT+NKqoAPTgxxDyAlWDZP/+dx+ab5qFKECm00AV9fdcq7wkpuiuXoIrd
        5l3V9sJR1dDzs7gRFzVftl2C+FwSx7usv4HiyfRvOpbkiZilhk3UEnkm02kBaFew
        zQKCAQBIG63loAyLfKhymKdsXW9f9hAsi/G7uaXk8myisYF9UnAGPdn1vhmY18CY
        cNqcS9vZT/hg9UacNK3AfplVUfrCW8QvGuDJC1u49rYO234hPHi1IqIjQVPzUldG
        j1G2vTqb9L3TWKf6aT+pQHl8mQOInmsR+xQiBYFcJR38klUT/DhvvTji3R9mSVkb
        Y+WyTTi9QFGDXROb5SyTUBH7Rsk4t1ansrGNLUrL/LZd1tQdq7w6fa5xyCjD/opV
        Ud3Pec9uKrLgvb/1bUbuo5cVjBGz6yPXrAlc9K9x2wdJyV/GJLL3kEHstc6umr5p
        d2o11Xl5bwL3jbKXLK9OmF+32Ox7
        -----END PRIVATE KEY-----
        """

    /// RSA-4096, PKCS #8: signs the VCEK certificate at start-up.
    static let ask = """
        -----BEGIN PRIVATE KEY-----
        MIIJQwIBADANBgkqhkiG9w0BAQEFAASCCS0wggkpAgEAAoICAQChh9NItxQNIN3s
        GkWIpAIDPjGsYHz0qAzmfcmIESH+PJVpGJcZRtcRZeY69QT+GEsWSb7+pUuusvBy
        3rg2kxQqXFiSzofED0mgNgE9yCJ1dr0mY27AZfpFynfu51ukSRUTlWC4QEXeuMdd
        d8Lo/kLyLrCI+On+yySqLVsvD6Gpow6ZOYYggkj2kRMgnjMQF3oXmz3mJDLkjD1w
        1oOJJV+FQdVtseeIPuJHCwdazEnsZa+6Pc8CX2LQ2/2R1b9CQpovfZi1fYw8NLw/
        OYF2SZB+HunsOr5JHD/ps1uw6n3JcTjpVz8lKGgyaCiekJH9nJ/aYa6mk1XqY5il
        wKwNC/CVjSJpOquLWkyxCYyir4EbWFLKxOT7cRSK2xAI/b8LuSQE8OiuSqxm+yOU
        Q78KcrHVO/xr+A1hADBux0zpKrYAiX6FWw81rjNh2OnVYeOxmtIF6VDhpaLvmoZk
        3DQGONHKxibL5lPUSNe5imV5d7tiDRYeBRtMafyfitKQu6z896WVr2qX1ynmtfAC
        UOzuoQhQAqQVgmjulKdY0lBWcpMejRLpdZSE+o1q5q0r0ccLfWFcr/zLAuUyec8c
        9MATnaYC0rbCf3qDl8yO9n+wIXaMCC4U2gk0uGhs/9ZlCIzDUZnk7l960rx79s3M
        l0g/t19blloHVGWnqE4AXo7guWru0wIDAQABAoICAAQKCEFQ1d8fxUZ6jOaTA1US
        OkSPNrcZEXy20VIZUfpJ7yQgcBbUhXUMt6pQ88qbnOhC+KDks6gvFugocMuckR9S
        2jwn9Skn7YIxSrkN+h6dCE0F2E0jWUcv5IcROskFTGufvqCc3gjPVUNQrVhAk2su
        7U2Su92aAtUZxHMm0IOt072gVjd8SorJeFFgFoxk3RhRORKgl4BmwvQnyRFy4WXM
        2z0E+wv8vPfKnmjc1ueWAcQfq4xQCk6JHowfbJe7LQcNYvYwdemp5lMsz8BZEpRO
        Y/17DCsT2ioXFa6udNRgUNLOhbVOKPZ2hR2B8l44vmtdkFp5MLRnWffUtSvjJb7t
        ac5rEepGKdzPmZqYI0Be4HQ4CES63JwrbAymBP/g1WrrCFgaGK2YEs03kkGcnWF/
        LqJnRyCq80FedhhDSGOFq5t3C33uZkyc7ufRK6X1EjQjj9yO1MzXjr3w2nNekMmZ
        kriJvYfrCV/Pjey0vUe3A89EFicqCfCjs6prX4SZxK+VMsVxXgFDQHDN3CHljFuX
        WgNMzawh1yoiYyE2I/FSyfAjfKzEvdrx9q4GDfnd4UkF05NSllmI1WLtFh1Y1QVI
        LVXbvG45QR5GjziagNydfoIyO8ga427GlZ2opk+XqkIGHSuukRavniqvsAsD1eeF
        D4fV3RJZ70RQo9KahoJBAoIBAQDcXnxbx2PyP5XsuhPqaTCcBqZ4yq/gZfzP9k0d
        /fwU2kt7eQeXxBbP8XNX3/kltldHDRJ2qE1XAmoKa1VlXsmGe5RTZH6h8DWVGMKs
        vrd/kW9hEbGns4ieXSYI94EjrP/nnW9boBje1ilO6FwHogYzM0/ru4RK+bnxikIt
        QXpFsF8FvUF3UZSqW7w/64Mz1YgdUpf2fZz9QWcM9wAGaIK/XEhp9EWgn1qcbDoz
        Boi/UzovTe8p/mHL1vf1pDqfijMwcPKjt3m5xf+SMTJZEsQ0pBES2bs5W+dvB1ya
        gHVaHItnyBB+W7SQCRXTBM0WLaR21sSiwjvFBj90iSb3lgVjAoIBAQC7peV8TPsX
        rKopYS4VeRBU0aAg6YAgL/yy5nxA+RA67Hk3cQk7IJkIlHcnkGbkykyRgFEFb5Ut
        +MtLzhgF+RyySs8fsu99EubG3CQBBZ70LJdhkZYL2DWA8ZZd9DCxxLpBJl5IJSH8
        5LAkWSVFDJp6K85Ng8PXmzDy5n/Ryc3Zz0L9ie7wxVoI0FAUW7+EtyILTvOj4uyx
        MHYfASv8A3Oy9df/MHwdeOQkQlILWbxQNuvXoX64NfbcQGoX4KtbF0taoZi0WfIM
        HgC6HUJXID9N1WtzBZ6R7dTrKbkIY97PZddv2Q5koPFH5Iic+Lsxg+vFnt0gODn+
        JVkUPZSGPCPRAoIBAQDIZHOZ0juk8wWW+69YnsdBWxrPBSHiYVwAkO2XtHsjS08Q
        vQKWlA5akipdYqLiFGpRhiWgGXQbB2r+hpRlVkjULlS3cM9m21UefCGrjNK5ArvR
        /ZEb+zrlJ7eKt+eLVapwKM429+Ml4II36zylBEW3EZY/u4mV1HmumBeNp9lUvgnq
        4itCIcGbGUiap8PrwuXAJHdkAt5bvrnDJGm1ahxbf8Op9iPK6J4xWImkFPENatWi
        ZrBx841jG9zoV6unoLjj+BHtps7ejJrXij1KmrIpXHjaN3z1sAlJAdzH8sDEbOio
        O1okTahowppCBj+pR2AjYTH2/8HybLgPdRkmVBoZAoIBACh6/2izSq+uxf6rQj/L
        oCRMHJk9BjDraT5GzqNNl5y+it/U+MLSo3DgZlwYoLnWknIJFnFvwuTp+SFfUntn
        ZDNqRAh4l4WJ4FMiBnpZ9hKC1B1uRMpFWDV66I9YMHEJGY0Yc9poeE6QHxeYS5v7
        vg+BB75dIJCQoBymcQiW2luUhMUhTnSOfn/MQJpDuKsuvp9l5tWCDMGkzLafkBeL
        vxfqRTB+Cyhoff78d6qPLzq2vmYEJswiiCC3nKuOAiliexUQK1ss1DSc/FcqHLei
        80UdN1LW8YBVqEsa8xnGQbjIJZOxZZN7zNFPkdEbL3bdGK3HObjLqGcVM4RUTIgw
        zSECggEBAKBeQOcyW1BJkkJsT8lUL0cV1JuTu2j2l4ysXevvKo7JWyKqC4IH1eqZ
        4gwstM17vrpt9fMHh/9AsxH+2+D0/bgdwR1gOR58Qg3stIrCBBnCoVGhAiGpz9RX
        PCZthFQQlawHroXfu1G6Fp/pBtweQTU2ZdSi+1dRdXwK//WMoqEx8AJZ8D0bf/Yp
        pTJNmAGacNE+VaIPYflnRO8MR7HBuOW8ChLJ80HEW71nXEs7riNEIPOs3mj/f/Ih
        CTHEyc7iQwB2DudepjvNZQOewbK8pmtIy0jU6bhB11xI7xiYdKECMiSoo3x7q8vT
        LvPmP/7j6wNZuLg4C9LOcdxfJ/dLMlc=
        -----END PRIVATE KEY-----
        """

    /// P-384, PKCS #8: signs reports, whatever the chip and the TCB.
    static let vcek = """
        -----BEGIN PRIVATE KEY-----
        MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBK/arl5Ltk2H9cefLA
        qd8j2gEDoQbdt0VKTeK3eXF3aspp0kiFVv4LDNtD33ymENChZANiAAQxwusC1kra
        jqE5WhRRPup3JsveDCISmUsQH6gIsoQD0I2Bt6Geis+T1gF/G/CQ0c6pEadIfSpo
        bzsdYAf0CCucNgwplahfaRf0hw6bALv0+aTAOXULh8kDT1gsotDmECI=
        -----END PRIVATE KEY-----
        """

    /// CN=ARK-Genoa, self-signed, 2024 to 2049.
    static let arkCertificate = """
        -----BEGIN CERTIFICATE-----
        MIIFzzCCA4OgAwIBAgIDAgAAMEEGCSqGSIb3DQEBCjA0oA8wDQYJYIZIAWUDBAIC
        BQChHDAaBgkqhkiG9w0BAQgwDQYJYIZIAWUDBAICBQCiAwIBMDBUMRwwGgYDVQQL
        DBNXb3J0aGxlc3MgVGVzdCBLZXlzMSAwHgYDVQQKDBdTaW11bGF0ZWQgTWljcm8g
        RGV2aWNlczESMBAGA1UEAwwJQVJLLUdlbm9hMB4XDTI0MDEwMTAwMDAwMFoXDTQ5
        MDEwMTAwMDAwMFowVDEcMBoGA1UECwwTV29ydGhsZXNzIFRlc3QgS2V5czEgMB4G
        A1UECgwXU2ltdWxhdGVkIE1pY3JvIERldmljZXMxEjAQBgNVBAMMCUFSSy1HZW5v
        YTCCAiIwDQYJKoZIhvcNAQEBBQADggIPADCCAgoCggIBAKX8lMzgPL2114jK7n1P
        AAnrzBidQGM+Rwc14EqGgqhiU++nKqayVpPiGxqOFTQoEOZp+QMficiUU0nCWNKY
        G9lRg1r5q/bIo/lFuRxZeHmKaXrR7TxU+JReiKfamIy0f+lgE5ARkFlxAIY0xY5A
        vfJS/EQiplx7R5q9qAhMJ21PFI4ysLH7M4MtTmPohOYAH7hyJEakSSJGwLnraa8V
        IAEp90wUb3aqRSiq1UdSZ914sWXgXFcw1bmL+Gc55xlCX4rjUvu1ic5Hq4/XAruu
        E4o+DT0SqLp/75ZqY8JLPFxBs+FeKDpHc6inoMQ5ZANuo25aoTahtBNTNPIPBwCw
        cWrpRx592eUwXB6gcCNEG+qnK10oYMtoD40xLFJ9Mg4tWt92NhQL8vLlBAfS12BP
        MmTRWGAiBQmLCaQdVgGm40HGZ0QsPpVyhxJO/7BK5wdZjos8bQynuxoN+fnKjEx0
        awgFsrkSXGP9o2wndALNjw47tR7+tRKcqBIK8i13tfJTdkCEgDBt+gJpkfX5ICqN
        A05lKmIH/K5lF0V2iZeLwp4PjKYwLhLFo4ciFEO3MyWaFWHX/5e0FkQH8uzBJgh6
        L1bFYPY3h+N2RumXMQMDiuZifpemdmvbPITDJ3ZmCvYuz72lAsh8czjAyWNYugQp
        cb1KHMBMIUCaA3NOUYxwDdBVAgMBAAGjQjBAMA4GA1UdDwEB/wQEAwIBBjAdBgNV
        HQ4EFgQUTheOXQm8HWGfUPBc5yKsuoVqLRswDwYDVR0TAQH/BAUwAwEB/zBBBgkq
        hkiG9w0BAQowNKAPMA0GCWCGSAFlAwQCAgUAoRwwGgYJKoZIhvcNAQEIMA0GCWCG
        SAFlAwQCAgUAogMCATADggIBAJElWYuvwEQAeKdQEa7OpgNmCwtpxxUWpQUfh93+
        SkIlWnMhH8V1zs7C8BWObOIX5GlH4oBvkXSxFSiC5sDn34WQtbdVxpti8Sjj2fV1
        Lv28SOuHcGOkx/pYael8p4qDA1+r2v9iNK0MHCLw5v81iFAvixvYQ4GY8xbzixWW
        COYhUI3nggfsFtQY4J9IeB6aDQeZc/Btc4C8J6tHaKxS1aUeJMnkZjQimHkFVrc1
        +bgw2I1Tujmz3EaV2vy53YSsCp0usllLNJ5gtbPRjOcLRixXaFiJkBw52WwDMXDz
        mfMG3rI0hSabB3fbjuH8/IiT5jNk9mGwkgFZsDVz8WHlWtW/Xo7G6tuqDL5HTZrO
        KDy0Sl9kQezyX0nfCVp5HQYDt2ZhaeJ6mhBiCcdOcxntzpjt8Rhd2XmRVMXKYevs
        +qtaawrYJrpmoi2E5cnCwJePSzraOqJDg8FA27ZGyXyIcbHMx6g5XINmylIZoUPd
        lxKq+kB4K23FJG9fdPdMQ1lLg3DShRbe+5q5StI74Elm1BpWPJkf4kiz0iHDXgLE
        Kq+o3LbG7MpGaN05fxV5mL9rFrqInkUZXWuamCOwOA6fGVXsmp7uThvICWhAbMoS
        zkHiS2olQ3RsqTBCJT+SMujMHNGfTXOs/hS6QrIVg4Y7DjITUjeoYaingfsnE7Hx
        jPRN
        -----END CERTIFICATE-----
        """

    /// CN=SEV-Genoa, signed by the ARK, 2024 to 2049.
    static let askCertificate = """
        -----BEGIN CERTIFICATE-----
        MIIF8zCCA6egAwIBAgIDAgACMEEGCSqGSIb3DQEBCjA0oA8wDQYJYIZIAWUDBAIC
        BQChHDAaBgkqhkiG9w0BAQgwDQYJYIZIAWUDBAICBQCiAwIBMDBUMRwwGgYDVQQL
        DBNXb3J0aGxlc3MgVGVzdCBLZXlzMSAwHgYDVQQKDBdTaW11bGF0ZWQgTWljcm8g
        RGV2aWNlczESMBAGA1UEAwwJQVJLLUdlbm9hMB4XDTI0MDEwMTAwMDAwMFoXDTQ5
        MDEwMTAwMDAwMFowVDEcMBoGA1UECwwTV29ydGhsZXNzIFRlc3QgS2V5czEgMB4G
        A1UECgwXU2ltdWxhdGVkIE1pY3JvIERldmljZXMxEjAQBgNVBAMMCVNFVi1HZW5v
        YTCCAiIwDQYJKoZIhvcNAQEBBQADggIPADCCAgoCggIBAKGH00i3FA0g3ewaRYik
        AgM+MaxgfPSoDOZ9yYgRIf48lWkYlxlG1xFl5jr1BP4YSxZJvv6lS66y8HLeuDaT
        FCpcWJLOh8QPSaA2AT3IInV2vSZjbsBl+kXKd+7nW6RJFROVYLhARd64x113wuj+
        QvIusIj46f7LJKotWy8PoamjDpk5hiCCSPaREyCeMxAXehebPeYkMuSMPXDWg4kl
        X4VB1W2x54g+4kcLB1rMSexlr7o9zwJfYtDb/ZHVv0JCmi99mLV9jDw0vD85gXZJ
        kH4e6ew6vkkcP+mzW7DqfclxOOlXPyUoaDJoKJ6Qkf2cn9phrqaTVepjmKXArA0L
        8JWNImk6q4taTLEJjKKvgRtYUsrE5PtxFIrbEAj9vwu5JATw6K5KrGb7I5RDvwpy
        sdU7/Gv4DWEAMG7HTOkqtgCJfoVbDzWuM2HY6dVh47Ga0gXpUOGlou+ahmTcNAY4
        0crGJsvmU9RI17mKZXl3u2INFh4FG0xp/J+K0pC7rPz3pZWvapfXKea18AJQ7O6h
        CFACpBWCaO6Up1jSUFZykx6NEul1lIT6jWrmrSvRxwt9YVyv/MsC5TJ5zxz0wBOd
        pgLStsJ/eoOXzI72f7AhdowILhTaCTS4aGz/1mUIjMNRmeTuX3rSvHv2zcyXSD+3
        X1uWWgdUZaeoTgBejuC5au7TAgMBAAGjZjBkMB0GA1UdDgQWBBR6NZEq41G8WeGd
        qSUdaf1qX5JnFzAfBgNVHSMEGDAWgBROF45dCbwdYZ9Q8FznIqy6hWotGzASBgNV
        HRMBAf8ECDAGAQH/AgEAMA4GA1UdDwEB/wQEAwICBDBBBgkqhkiG9w0BAQowNKAP
        MA0GCWCGSAFlAwQCAgUAoRwwGgYJKoZIhvcNAQEIMA0GCWCGSAFlAwQCAgUAogMC
        ATADggIBACZ/qWVxpPe2YATzjTeW4Yd2yTlP7UuVdkKpLcITEbdiiyuuTSQppnwx
        OsMCAacPoXWIxG3qT/qduwU5thLkt8c5VUQaFbAGF4cZyBpxp7f8SbLBdKNYjx5x
        A1Lqg5/ef2IzREgoBxI93ZEVSO8prMLMCZuKc2XZbkPkgXoVfEfJmweQC/CpuTVR
        ADeu2gQBNaNWXeUuHnNMzFRVX2k1echgMnYCIBMQPg89t9c1e34r7WcxOIz4KztR
        TEYbHcOUmg51YGSYVaYxDzhsk7gV49U+SyBOlH0HdimoSPqyDWDbK4Fj+cQrkq3S
        Z84j8NtKuJqkkc7fqSfqpG2Ms39azmM9mJ2aG6qPYj51DHjnJX2kT19ozd/WgwSE
        JVjCbJMkTe54tHJqb6Eu+oJXo5YgT6gUKM9DEtxj5sJfQh6YDEhPdc1u2gfijN8S
        u/UjWOmNnYCSIfktBFdhHu5pKmTZJdiGLTQKVweHwHpUTLBXrCmscoXaXTHHaBSH
        Swk/HsnW8S53QT2Fw0j53wrlaglHbvtrTX6drnXwebG21MVcHaI24XKi3kMOmMkp
        3Wby56cJrua0rL3PjDmmP9PO1v+8T4ci6RydOzFS2uErzD5TS0Fd9Jqu0TsGzP2i
        P0oRoHs0j+NvlHkIg3vIPrDgM36lUt+wQBZjAOSzyMdi+wD7M9I7
        -----END CERTIFICATE-----
        """
}
