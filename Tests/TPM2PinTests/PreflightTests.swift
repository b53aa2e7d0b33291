// SPDX-License-Identifier: Apache-2.0
import PinKit
import TPM2Pin
import Testing

@Suite(.serialized) struct PreflightTests {
    let tpm: SoftwareTPM

    init() throws { tpm = try SoftwareTPM() }

    private let untried = "warning: needs a PIN, which was not tried; cvm-clevis-unlock has nobody to ask"

    private func findings(_ message: JWE, signatures: [String] = []) -> [String] {
        TPM2Pin(tcti: tpm.tcti, signatureFiles: signatures).preflight(message).map { "\($0.severity): \($0.text)" }
    }

    @Test func `nothing is found where the message opens, and nothing is left in the TPM`() throws {
        try tpm.makeStorageRoot("ecc")
        let signer = try PCRSigner(.p256, tpm)
        try signer.write([signer.entry([11], tpm)])
        let configurations: [JSONObject] = [
            [:], ["pcr_ids": "7,11"], ["parent": "srk"], ["pubkey": .string(signer.publicKey)],
            ["pubkey": .string(signer.publicKey), "pcr_ids": "0", "parent": "srk"],
        ]
        for var configuration in configurations {
            let message = try tpm.encrypt("hello", .object(configuration))
            #expect(findings(message, signatures: [signer.file]) == [], "\(configuration)")
            configuration["pin"] = true
            let secured = try tpm.encrypt("hello", .object(configuration), with: tpm.typing("1234"))
            #expect(findings(secured, signatures: [signer.file]) == [untried], "\(configuration)")
        }
        let stock = try tpm.clevisEncrypt("hello", #"{"hash":"sha384","pcr_bank":"sha256","pcr_ids":"7"}"#)
        let before = try tpm.leftovers()  // stock clevis leaves a session of its own
        #expect(findings(stock) == [])
        #expect(try tpm.leftovers() == before)
    }

    @Test func `moved PCRs are found, in stock clevis' messages too`() throws {
        let messages = [
            try tpm.encrypt("hello", ["pcr_ids": "7,11"]),
            try tpm.clevisEncrypt("hello", #"{"hash":"sha384","pcr_bank":"sha256","pcr_ids":"7,11"}"#),
        ]
        try tpm.extend(11)
        for message in messages {
            #expect(findings(message) == ["failure: PCRs 7,11 of bank sha256: other values than at binding"])
        }
    }

    @Test func `values that nobody signed are found`() throws {
        let signer = try PCRSigner(.p256, tpm)
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)])
        #expect(
            findings(message, signatures: [signer.file]) == [
                "failure: unavailable: find a PCR signature: none of \(signer.file) is there"
            ])
        try signer.write([signer.entry([11], tpm)])
        try tpm.extend(11)
        let found = findings(message, signatures: [signer.file])
        #expect(found.count == 1)
        #expect(found.first?.hasSuffix("none of them over the values they have now") == true)
    }

    @Test func `a missing storage root key, another TPM and no TPM are found`() throws {
        try tpm.makeStorageRoot("ecc")
        let messages = [try tpm.encrypt("hello", ["parent": "srk"]), try tpm.encrypt("hello", [:])]
        let other = try SoftwareTPM()
        let pin = TPM2Pin(tcti: other.tcti)
        #expect(pin.preflight(messages[0]).map(\.text).first?.contains("nothing is at 0x81000001") == true)
        #expect(pin.preflight(messages[1]).map(\.text).first?.contains("TPM2_Load") == true)
        let none = TPM2Pin(tcti: "device:/dev/cvm-clevis-no-tpm").preflight(messages[1])
        #expect(none.map(\.text).first?.contains("reach the TPM at device:/dev/cvm-clevis-no-tpm") == true)
        #expect(none.map(\.severity) == [.failure])
    }

    @Test func `wrong PINs are a warning, and a lockout is a failure, for messages with a PIN`() throws {
        let message = try tpm.encrypt("hello", ["pin": true], with: tpm.typing("1234"))
        #expect(throws: PinError(.refused)) { try tpm.decrypt(message, with: tpm.typing("0000")) }
        let plain = try tpm.encrypt("hello", [:])
        let warnings = findings(message)
        #expect(warnings.count == 2)
        #expect(warnings.last?.hasPrefix("warning: wrong PINs were given: 2 of 3 tries left") == true)
        for _ in 0..<2 { #expect(throws: PinError(.refused)) { try tpm.decrypt(message, with: tpm.typing("0000")) } }
        let failures = findings(message)
        #expect(failures.count == 1)
        #expect(failures.first?.hasPrefix("failure: too many wrong PINs: locked") == true)
        // The parent is protected as well: nothing at all opens under it.
        let lost = findings(plain)
        #expect(lost.count == 1)
        #expect(lost.first?.hasPrefix("failure: unavailable: TPM2_") == true)
        #expect(lost.first?.contains("too many wrong PINs: locked; it forgives one every") == true)
    }

    @Test func `a check does not count as a wrong PIN`() throws {
        let message = try tpm.encrypt("hello", ["pin": true], with: tpm.typing("1234"))
        for _ in 0..<5 { #expect(findings(message) == [untried]) }
        #expect(try tpm.decrypt(message, with: tpm.typing("1234")) == "hello")
    }

    @Test func `a header that names less than the object demands is found`() throws {
        let message = try tpm.encrypt("hello", ["pcr_ids": "7", "pin": true], with: tpm.typing("1234"))
        #expect(
            findings(try message.with { $0["pcr_ids"] = nil }) == [
                untried, "failure: the object demands another policy than its header says",
            ])
        let bare = try message.with {
            $0["pcr_ids"] = nil
            $0["pin"] = nil
        }
        #expect(findings(bare) == ["failure: the object demands another policy than its header says"])
    }
}
