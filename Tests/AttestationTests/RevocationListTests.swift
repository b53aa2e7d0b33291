// SPDX-License-Identifier: Apache-2.0
import Attestation
import COpenSSL
import EvidenceVectors
import TEE
import Testing

private let ark = try! Authority(Certificate(der: CertificateDraft.ark().der()))
/// Its serial number is 0, as is that of all drafts.
private let ask = try! Certificate(der: CertificateDraft.ask().der())

@Suite struct RevocationListTests {
    private let draft = RevocationListDraft(issuer: "ARK-Genoa", signer: .ark)

    @Test func `a list names its issuer, its dates and who is revoked`() throws {
        var draft = draft
        draft.serials = [7, 0, 9]
        let list = try CertificateRevocationList(der: draft.der())
        #expect(list.issuer == "ARK-Genoa" && list.validity == draft.validity)
        #expect(try list.isSigned(by: ark))
        #expect(list.revokes(ask))
    }

    @Test func `who is not named is not revoked, nor is another issuer's certificate`() throws {
        var draft = draft
        draft.serials = [7, 9]
        #expect(try !CertificateRevocationList(der: draft.der()).revokes(ask))
        draft.serials = []
        #expect(try !CertificateRevocationList(der: draft.der()).revokes(ask))
        draft.serials = [0]
        draft.issuer = "ARK-Milan"
        #expect(try !CertificateRevocationList(der: draft.der()).revokes(ask))
    }

    @Test func `a list of another name, key or scheme is not the authority's`() throws {
        let changes: [(inout RevocationListDraft) -> Void] = [
            { $0.issuer = "ARK-Milan" }, { $0.signer = .ask }, { $0.signer = .p256 }, { $0.digest = .sha256 },
            { $0.padding = RSA_PKCS1_PADDING },
        ]
        for (index, change) in changes.enumerated() {
            var draft = draft
            change(&draft)
            #expect(try !CertificateRevocationList(der: draft.der()).isSigned(by: ark), "change \(index)")
        }
    }

    @Test func `every flipped bit of a list is found`() throws {
        var draft = draft
        draft.serials = [7]
        let der = draft.der()
        for bit in 0..<der.count * 8 {
            var tampered = der
            tampered[bit / 8] ^= 1 << (bit % 8)
            let holds = (try? CertificateRevocationList(der: tampered).isSigned(by: ark)) ?? false
            #expect(!holds, "bit \(bit)")
        }
    }

    @Test func `a list without an end, about some certificates only, cut or followed by something is malformed`() {
        var draft = draft
        draft.isPartial = true
        let partial = draft.der()
        draft.isPartial = false
        draft.hasNextUpdate = false
        let endless = draft.der()
        draft.hasNextUpdate = true
        for der in [partial, endless, draft.der() + [0], draft.der().dropLast(), []] {
            #expect(throws: EvidenceError(.malformed)) { try CertificateRevocationList(der: Array(der)) }
        }
    }

    @Test(.enabled(if: Vectors.present, "\(Vectors.missing)"))
    func `Intel's lists are signed by their issuers and name nobody of their chain`() throws {
        let root = try Certificate(der: Vectors.read("tdx/ca/intel_sgx_root_ca.der"))
        let ca = try Certificate(pemOrDER: Vectors.read("tdx/ca/intel_sgx_pck_platform_ca.pem"))
        let (rootKey, caKey) = try (Authority(root, .ecdsaP256WithSHA256), Authority(ca, .ecdsaP256WithSHA256))
        for folder in ["00806f050000-2025-01-21", "50806f000000-2026-03-16", "90c06f000000-2026-02-18"] {
            let rootList = try CertificateRevocationList(der: Vectors.read("tdx/collateral/\(folder)/root_ca_crl.der"))
            let list = try CertificateRevocationList(der: Vectors.read("tdx/collateral/\(folder)/pck_crl.der"))
            #expect(try rootList.isSigned(by: rootKey) && list.isSigned(by: caKey) && !list.isSigned(by: rootKey))
            #expect(!rootList.revokes(ca) && !rootList.revokes(root))
            #expect(list.validity.upperBound - list.validity.lowerBound == 30 * 86_400)
        }
    }
}
