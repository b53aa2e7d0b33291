// SPDX-License-Identifier: Apache-2.0
import COpenSSL
import PinKit
import TEESimulator
import Testing

/// The hierarchy, checked with libcrypto alone: no code of ours stands on both sides.
struct CertificateTests {
    @Test func `the three certificates form a chain of RSASSA-PSS signatures`() throws {
        let platform = try SimulatedSNP()
        let ark = try X509Object(platform.arkDER)
        let ask = try X509Object(platform.askDER)
        let vcek = try X509Object(platform.endorsementDER)
        #expect(ark.isSigned(by: ark) && ask.isSigned(by: ark) && vcek.isSigned(by: ask))
        #expect(!vcek.isSigned(by: ark))
        for certificate in [ark, ask, vcek] { #expect(certificate.signatureAlgorithm == NID_rsassaPss) }
    }

    @Test func `the exported anchors are the ones in use`() throws {
        let platform = try SimulatedSNP()
        #expect(try X509Object(pem: SimulatedTrust.arkPEM).der == platform.arkDER)
        #expect(try X509Object(pem: SimulatedTrust.askPEM).der == platform.askDER)
        #expect(try X509Object(platform.arkDER).commonName == "ARK-Genoa")
        #expect(try X509Object(platform.askDER).commonName == "SEV-Genoa")
        #expect(try X509Object(platform.endorsementDER).commonName == "SEV-VCEK")
    }

    @Test func `patch levels and the chip stand in AMD's extensions`() throws {
        var settings = SNPSettings()
        settings.tcb = SNPTrustedBase([10, 1, 2, 3, 4, 5, 127, 0xdb])
        let vcek = try X509Object(SimulatedSNP(settings).endorsementDER)
        #expect(vcek.amdExtension("1") == [2, 1, 0])
        #expect(vcek.amdExtension("2") == [22, 5] + Array("Genoa".utf8))
        #expect(vcek.amdExtension("3.1") == [2, 1, 10])
        #expect(vcek.amdExtension("3.2") == [2, 1, 1])
        #expect(vcek.amdExtension("3.3") == [2, 1, 127])
        #expect(vcek.amdExtension("3.8") == [2, 2, 0, 0xdb])
        #expect(vcek.amdExtension("4") == SNPSettings.defaultChip)
    }

    @Test func `overrides reach the certificate and leave the report alone`() throws {
        var settings = SNPSettings()
        settings.certificate.commonName = "SEV-VLEK"
        settings.certificate.tcb = [9, 0, 0, 0, 0, 0, 23, 84]
        settings.certificate.notAfter = -60
        settings.certificate.pss = false
        let platform = try SimulatedSNP(settings)
        let vcek = try X509Object(platform.endorsementDER)
        #expect(vcek.commonName == "SEV-VLEK")
        #expect(vcek.amdExtension("3.1") == [2, 1, 9])
        #expect(vcek.hasExpired)
        #expect(vcek.signatureAlgorithm == NID_sha384WithRSAEncryption)
        let report = try platform.report(for: [UInt8](repeating: 0, count: 64))
        #expect(Array(report[0x180..<0x188]) == [10, 0, 0, 0, 0, 0, 23, 84])
    }

    @Test func `a setting of the wrong width is named`() throws {
        var settings = SNPSettings()
        settings.measurement.removeLast()
        #expect {
            try SimulatedSNP(settings)
        } throws: { error in
            "\(error)" == "measurement: 47 bytes given, 48 expected"
        }
    }
}

/// An X.509 certificate as libcrypto reads it.
@safe final class X509Object {
    private let certificate: OpaquePointer
    let der: [UInt8]

    init(_ der: [UInt8]) throws {
        let parsed = unsafe der.withUnsafeBufferPointer { buffer in
            var cursor = buffer.baseAddress
            return unsafe d2i_X509(nil, &cursor, buffer.count)
        }
        unsafe certificate = try #require(unsafe parsed)
        self.der = der
    }

    convenience init(pem: String) throws {
        let base64 = pem.split(separator: "\n").filter { !$0.hasPrefix("-----") }.joined()
        try self.init(#require(Base64.decode(base64)))
    }

    deinit { unsafe X509_free(certificate) }

    func isSigned(by issuer: X509Object) -> Bool {
        unsafe X509_verify(certificate, X509_get0_pubkey(issuer.certificate)) == 1
    }

    func verifiesP384(_ signature: [UInt8], over message: [UInt8]) -> Bool {
        unsafe cvm_verify_ecdsa(
            X509_get0_pubkey(certificate), EVP_sha384(), signature, signature.count / 2, message, message.count) == 1
    }

    var signatureAlgorithm: Int32 { unsafe X509_get_signature_nid(certificate) }

    var hasExpired: Bool { unsafe X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0 }

    var commonName: String {
        var text = [CChar](repeating: 0, count: 64)
        unsafe X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, &text, 64)
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    func amdExtension(_ suffix: String) -> [UInt8]? {
        let object = unsafe OBJ_txt2obj("1.3.6.1.4.1.3704.1." + suffix, 1)
        defer { unsafe ASN1_OBJECT_free(object) }
        let index = unsafe X509_get_ext_by_OBJ(certificate, object, -1)
        guard index >= 0, let value = unsafe X509_EXTENSION_get_data(X509_get_ext(certificate, index)) else { return nil }
        return unsafe Array(UnsafeBufferPointer(start: ASN1_STRING_get0_data(value), count: Int(ASN1_STRING_length(value))))
    }
}
