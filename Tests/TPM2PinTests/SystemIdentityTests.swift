// SPDX-License-Identifier: Apache-2.0
import PinKit
import TPM2Pin
import Testing

@Suite(.serialized) struct SystemIdentityTests {
    let tpm: SoftwareTPM
    let record = "cryptsetup:root:0d6bf2a0-6a53-4b4f-9d0a-0f1b5c2f9e11"

    init() throws { tpm = try SoftwareTPM() }

    /// In hexadecimal.
    private func pcr(_ bank: String) throws -> String {
        try tpm.run("tpm2_pcrread", "\(bank):15").pcrValue
    }

    @Test func `PCR 15 is extended in every bank, by an HMAC under the key`() throws {
        let key = SecretBytes(copyingPublic: [UInt8](repeating: 7, count: 64))
        let banks = ["sha1", "sha256", "sha384"].filter { (try? pcr($0))?.allSatisfy { $0 == "0" } == true }
        #expect(banks.contains("sha256"))
        let extensions = try SystemIdentity(tcti: tpm.tcti).extend(by: record, under: key)
        let own = try #require(extensions.first { $0.bank == "sha256" })
        #expect(try own.digest == key.hmac("SHA256", of: record))
        #expect(try pcr("sha256") == Hex.encode(Digest.sha256([UInt8](repeating: 0, count: 32) + own.digest)))
        for bank in banks {
            #expect(extensions.contains { $0.bank == bank })
            #expect(try !pcr(bank).allSatisfy { $0 == "0" }, "\(bank)")
        }
        #expect(try tpm.leftovers().isEmpty)
    }

    @Test func `it is as if tpm2_pcrextend had been given the HMAC, twice`() throws {
        let key = SecretBytes(copyingPublic: Array("key".utf8))
        let digest = try Hex.encode(key.hmac("SHA256", of: record))
        let other = try SoftwareTPM()
        try other.run("tpm2_pcrextend", "15:sha256=\(digest)")
        try other.run("tpm2_pcrextend", "15:sha256=\(digest)")
        for _ in 0..<2 { _ = try SystemIdentity(tcti: tpm.tcti).extend(by: record, under: key) }
        #expect(try pcr("sha256") == other.run("tpm2_pcrread", "sha256:15").pcrValue)
    }

    @Test func `without a TPM it is unavailable`() {
        let key = SecretBytes(copyingPublic: [1])
        #expect(throws: PinError(.unavailable)) {
            try SystemIdentity(tcti: "swtpm:path=/nonexistent/socket").extend(by: record, under: key)
        }
    }
}

extension String {
    /// Of what tpm2_pcrread prints.
    fileprivate var pcrValue: String { (split(whereSeparator: \.isWhitespace).last ?? "").dropFirst(2).lowercased() }
}
