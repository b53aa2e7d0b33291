// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import EvidenceVectors
import FileIO
import PinKit
import TEE

/// A private key: one of Tests/Vectors/fake-amd, or a new one on P-256.
@safe final class TestKey: @unchecked Sendable {
    let key: OpaquePointer

    static let ark = TestKey("ark")
    static let ask = TestKey("ask")
    static let asvk = TestKey("asvk")
    static let vcek = TestKey("vcek")
    static let vlek = TestKey("vlek")
    static let p256 = newP256()

    static func newP256() -> TestKey { unsafe TestKey(adopting: cvm_generate_p256()!) }

    private init(adopting key: OpaquePointer) { unsafe self.key = key }

    private convenience init(_ name: String) {
        let pem = try! FileIO.read("\(Vectors.own)/fake-amd/\(name).test-key.pem", limit: 1 << 14)
        let key = unsafe withBIO(over: pem) { unsafe PEM_read_bio_PrivateKey($0, nil, nil, nil) }
        unsafe self.init(adopting: key!)
    }

    deinit { unsafe EVP_PKEY_free(key) }

    /// r and s of an ECDSA signature with SHA-384, each 72 bytes little-endian as a report has them.
    func sign(_ message: [UInt8]) -> (r: [UInt8], s: [UInt8]) {
        var der = [UInt8](repeating: 0, count: 128)
        var count = der.count
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        precondition(unsafe EVP_DigestSignInit(context, nil, EVP_sha384(), nil, key) == 1)
        precondition(unsafe EVP_DigestSign(context, &der, &count, message, message.count) == 1)
        let signature = unsafe der.withUnsafeBufferPointer { bytes in
            var cursor = bytes.baseAddress
            return unsafe d2i_ECDSA_SIG(nil, &cursor, count)!
        }
        defer { unsafe ECDSA_SIG_free(signature) }
        var (r, s) = ([UInt8](repeating: 0, count: 72), [UInt8](repeating: 0, count: 72))
        precondition(unsafe BN_bn2lebinpad(ECDSA_SIG_get0_r(signature), &r, 72) == 72)
        precondition(unsafe BN_bn2lebinpad(ECDSA_SIG_get0_s(signature), &s, 72) == 72)
        return (r, s)
    }
}

/// A certificate to be made, right in every point that a test does not change.
struct CertificateDraft {
    var subject: String
    var issuer: String
    var serial = 0
    var validity: ClosedRange<Int64> = 1_700_000_000...1_900_000_000
    var extensions: [(oid: String, content: [UInt8], isCritical: Bool)] = []
    var key: TestKey
    var signer: TestKey
    var padding: Int32 = RSA_PKCS1_PSS_PADDING
    var saltLength: Int32 = 48
    var usesSHA256 = false
    /// Below a key on P-256, where SHA-256 is right.
    var usesSHA384 = false

    /// The content of AMD's extension `suffix`; nil takes it away.
    subscript(amd suffix: String) -> [UInt8]? {
        get { extensions.first { $0.oid == Self.arc + suffix }?.content }
        set {
            extensions.removeAll { $0.oid == Self.arc + suffix }
            if let newValue { extensions.append((Self.arc + suffix, newValue, false)) }
        }
    }

    static let arc = "1.3.6.1.4.1.3704.1."

    static func ark(_ product: String = "Genoa") -> CertificateDraft {
        CertificateDraft(subject: "ARK-\(product)", issuer: "ARK-\(product)", key: .ark, signer: .ark)
    }

    static func ask(_ product: String = "Genoa", serial: Int = 0) -> CertificateDraft {
        CertificateDraft(subject: "SEV-\(product)", issuer: "ARK-\(product)", serial: serial, key: .ask, signer: .ark)
    }

    static func asvk(_ product: String = "Genoa", serial: Int = 0) -> CertificateDraft {
        CertificateDraft(subject: "SEV-VLEK-\(product)", issuer: "ARK-\(product)", serial: serial, key: .asvk, signer: .ark)
    }

    func der() -> [UInt8] {
        let x509 = unsafe X509_new()!
        defer { unsafe X509_free(x509) }
        unsafe X509_set_version(x509, 2)
        unsafe ASN1_INTEGER_set(X509_get_serialNumber(x509), serial)
        unsafe X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", 0x1001, subject, -1, -1, 0)
        unsafe X509_NAME_add_entry_by_txt(X509_get_issuer_name(x509), "CN", 0x1001, issuer, -1, -1, 0)
        unsafe ASN1_TIME_set(X509_getm_notBefore(x509), Int(validity.lowerBound))
        unsafe ASN1_TIME_set(X509_getm_notAfter(x509), Int(validity.upperBound))
        unsafe X509_set_pubkey(x509, key.key)
        for item in extensions { unsafe Self.add(item.oid, item.content, item.isCritical, to: x509) }
        unsafe sign(x509)
        var start: UnsafeMutablePointer<UInt8>?
        let count = unsafe i2d_X509(x509, &start)
        defer { unsafe CRYPTO_free(start, nil, 0) }
        return unsafe Array(UnsafeBufferPointer(start: start, count: Int(count)))
    }

    private static func add(_ oid: String, _ content: [UInt8], _ isCritical: Bool, to x509: OpaquePointer) {
        let object = unsafe OBJ_txt2obj(oid, 1)
        let data = unsafe ASN1_STRING_type_new(V_ASN1_OCTET_STRING)
        unsafe ASN1_STRING_set(data, content, Int32(content.count))
        let added = unsafe X509_EXTENSION_create_by_OBJ(nil, object, isCritical ? 1 : 0, data)
        precondition(unsafe X509_add_ext(x509, added, -1) == 1)
        unsafe X509_EXTENSION_free(added)
        unsafe ASN1_STRING_free(data)
        unsafe ASN1_OBJECT_free(object)
    }

    private func sign(_ x509: OpaquePointer) {
        guard unsafe EVP_PKEY_get_base_id(signer.key) == EVP_PKEY_RSA else {
            precondition(unsafe X509_sign(x509, signer.key, usesSHA384 ? EVP_sha384() : EVP_sha256()) > 0)
            return
        }
        let digest = unsafe usesSHA256 ? EVP_sha256() : EVP_sha384()
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        var parameters: OpaquePointer?
        precondition(unsafe EVP_DigestSignInit(context, &parameters, digest, nil, signer.key) == 1)
        precondition(unsafe EVP_PKEY_CTX_set_rsa_padding(parameters, padding) == 1)
        if padding == RSA_PKCS1_PSS_PADDING {
            precondition(unsafe EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, saltLength) == 1)
            precondition(unsafe EVP_PKEY_CTX_set_rsa_mgf1_md(parameters, digest) == 1)
        }
        precondition(unsafe X509_sign_ctx(x509, context) > 0)
    }
}

/// A report to be signed and the certificate to go with it, right in every point that a test does not change.
struct FakePlatform {
    var report: [UInt8]
    var certificate: CertificateDraft
    var signingKey = SNPSigningKey.vcek
    /// Who signs the report.
    var key: TestKey = .vcek

    static let now: Int64 = 1_800_000_000

    static func genoa(version: UInt64 = 3) -> FakePlatform {
        var platform = FakePlatform(version: version, chip: (1...64).map { UInt8($0) })
        platform.certificate[amd: "1"] = [2, 1, 0]
        platform.certificate[amd: "2"] = ia5("Genoa")
        platform.setTCB([10, 0, 0, 0, 0, 0, 23, 84], ["3.1", "3.2", "3.4", "3.5", "3.6", "3.7", "3.3", "3.8"])
        return platform
    }

    static func turin() -> FakePlatform {
        var platform = FakePlatform(version: 5, chip: [9, 16, 180, 248, 132, 255, 75, 169])
        platform.certificate.issuer = "SEV-Turin"
        platform.certificate[amd: "1"] = [2, 1, 1]
        platform.certificate[amd: "2"] = ia5("Turin")
        platform.setTCB([1, 3, 2, 5, 0, 0, 0, 97], ["3.9", "3.1", "3.2", "3.3", "3.5", "3.6", "3.7", "3.8"])
        platform[.family] = 0x1A
        platform[.model] = 2
        return platform
    }

    static func vlek() -> FakePlatform {
        var platform = genoa()
        platform.signingKey = .vlek
        platform.key = .vlek
        platform[.keyInfo] = 1 << 2
        SNPField.chipID.put([UInt8](repeating: 0, count: 64), into: &platform.report)
        platform.certificate.subject = "SEV-VLEK"
        platform.certificate.issuer = "SEV-VLEK-Genoa"
        platform.certificate.key = .vlek
        platform.certificate.signer = .asvk
        platform.certificate[amd: "4"] = nil
        platform.certificate[amd: "5"] = ia5("CN=a cloud")
        return platform
    }

    private init(version: UInt64, chip: [UInt8]) {
        report = [UInt8](repeating: 0, count: SNPReport.byteCount)
        certificate = CertificateDraft(subject: "SEV-VCEK", issuer: "SEV-Genoa", key: .vcek, signer: .ask)
        certificate[amd: "4"] = chip
        self[.version] = version
        self[.signatureAlgorithm] = 1
        self[.guestPolicy] = 0x30000 | 1 << 8 | 55
        self[.family] = 0x19
        self[.model] = 0x11
        self[.currentFirmware] = 0x01_37_28
        self[.committedFirmware] = 0x01_37_28
        SNPField.chipID.put(chip + [UInt8](repeating: 0, count: 64 - chip.count), into: &report)
        SNPField.measurement.put([UInt8](repeating: 0x4d, count: 48), into: &report)
    }

    subscript(field: SNPField) -> UInt64 {
        get { field.integer(of: report) }
        set { field.put(newValue, into: &report) }
    }

    private mutating func setTCB(_ tcb: [UInt8], _ suffixes: [String]) {
        for field in [SNPField.currentTCB, .committedTCB, .reportedTCB, .launchTCB] { field.put(tcb, into: &report) }
        for (suffix, level) in zip(suffixes, tcb) {
            certificate[amd: suffix] = level < 128 ? [2, 1, level] : [2, 2, 0, level]
        }
    }

    func signedReport() -> [UInt8] {
        var signed = report
        let signature = key.sign(SNPField.signed.bytes(of: report))
        SNPField.signatureR.put(signature.r, into: &signed)
        SNPField.signatureS.put(signature.s, into: &signed)
        return signed
    }

    func table() -> [UInt8] {
        let kind: SNPCertificateTable.Kind = signingKey == .vcek ? .vcek : .vlek
        return SNPCertificateTable(entries: [.init(kind: kind, bytes: certificate.der())]).encoded
    }

    static func ia5(_ text: String) -> [UInt8] { [0x16, UInt8(text.utf8.count)] + Array(text.utf8) }
}
