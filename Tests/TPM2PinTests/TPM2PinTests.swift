// SPDX-License-Identifier: Apache-2.0
import Foundation
import MemoryScan
import PinKit
import TPM2Pin
import Testing

@Suite(.serialized) struct TPM2PinTests {
    let tpm: SoftwareTPM

    init() throws { tpm = try SoftwareTPM() }

    @Test(arguments: [
        "{}", #"{"key":"rsa"}"#, #"{"hash":"sha1"}"#, #"{"hash":"sha384","key":"ecc"}"#, #"{"hash":"sha512"}"#,
    ])
    func `what is sealed comes back, to us and to stock clevis, and nothing stays in the TPM`(configuration: String) throws {
        let message = try tpm.encrypt("hello", JSON(parsing: configuration))
        #expect(try tpm.decrypt(message) == "hello")
        #expect(try tpm.leftovers() == "")
        #expect(try tpm.run("clevis", "decrypt", input: message.compact) == "hello")
    }

    @Test func `a TPM is reached through a library that is named by its file as well`() throws {
        let pin = TPM2Pin(tcti: "libtss2-tcti-\(tpm.tcti.replacingOccurrences(of: "swtpm:", with: "swtpm.so.0:"))")
        #expect(try tpm.decrypt(tpm.encrypt("hello", [:]), with: pin) == "hello")
    }

    @Test(arguments: [#""7,11""#, #"["7","11"]"#, "[7,11]", #"["7,11"]"#, #""11, 7""#])
    func `PCRs may be spelled in every way that clevis knows, and stock clevis opens it`(ids: String) throws {
        try tpm.run("tpm2_pcrextend", "7:sha256=\(String(repeating: "ab", count: 32))")
        let message = try tpm.encrypt("hello", JSON(parsing: #"{"pcr_bank":"sha256","pcr_ids":\#(ids)}"#))
        #expect(message.parameters?["pcr_ids"]?.string == (ids.contains("11, 7") ? "11,7" : "7,11"))
        #expect(try tpm.decrypt(message) == "hello")
        #expect(try tpm.leftovers() == "")
        #expect(try tpm.run("clevis", "decrypt", input: message.compact) == "hello")
    }

    @Test(arguments: [
        "{}", #"{"key":"rsa"}"#, #"{"hash":"sha384"}"#, #"{"hash":"sha1"}"#,
        #"{"pcr_bank":"sha256","pcr_ids":"11,7"}"#, #"{"key":"rsa","pcr_bank":"sha384","pcr_ids":"0"}"#,
    ])
    func `what stock clevis sealed opens`(configuration: String) throws {
        let message = try tpm.clevisEncrypt("hello", configuration)
        let before = try tpm.leftovers()  // stock clevis leaves a session of its own
        #expect(try tpm.decrypt(message) == "hello")
        #expect(try tpm.leftovers() == before)
    }

    /// Its tool for unsealing opens a SHA-256 session whatever the object is hashed with.
    @Test func `what stock clevis sealed and cannot open itself opens`() throws {
        let message = try tpm.clevisEncrypt("hello", #"{"hash":"sha384","pcr_bank":"sha256","pcr_ids":"7"}"#)
        #expect(throws: SoftwareTPM.Failure.self) { try tpm.run("clevis", "decrypt", input: message.compact) }
        #expect(try tpm.decrypt(message) == "hello")
    }

    @Test func `the header is as long as clevis' and has its members`() throws {
        let plain = try #require(try tpm.encrypt("x", [:]).parameters)
        #expect(plain.object?.names.sorted() == ["hash", "jwk_priv", "jwk_pub", "key"])
        #expect(plain["jwk_pub"]?.string?.utf8.count == 64)
        #expect(plain["jwk_priv"]?.string?.utf8.count == 320)
        let bound = try #require(try tpm.encrypt("x", ["pcr_ids": "7"]).parameters)
        #expect(bound["pcr_bank"] == "sha256")
        #expect(bound["jwk_pub"]?.string?.utf8.count == 107)
    }

    @Test func `after a PCR moved the TPM refuses, and the error names the PCR`() throws {
        let message = try tpm.encrypt("hello", ["pcr_ids": "7"])
        try tpm.run("tpm2_pcrextend", "7:sha256=\(String(repeating: "01", count: 32))")
        let error = #expect(throws: PinError(.refused)) { try tpm.decrypt(message) }
        let text = try #require(error).description
        #expect(text.contains("PCR 7 of bank sha256: other values than at binding"))
        #expect(text.contains("0x99d"))
        #expect(try tpm.leftovers() == "")
    }

    @Test func `a secret can be sealed to values that PCRs will have`() throws {
        // Extending 0 by 01…01.
        let extended = Digest.sha256([UInt8](repeating: 0, count: 32) + [UInt8](repeating: 1, count: 32))
        let zero = [UInt8](repeating: 0, count: 32)
        let message = try tpm.encrypt(
            "hello", ["pcr_ids": "9,8", "pcr_digest": .string(Base64URL.encode(extended + zero))])
        #expect(throws: PinError(.refused)) { try tpm.decrypt(message) }
        try tpm.run("tpm2_pcrextend", "8:sha256=\(String(repeating: "01", count: 32))")
        #expect(try tpm.decrypt(message) == "hello")
    }

    @Test func `another TPM refuses`() throws {
        let message = try tpm.encrypt("hello", [:])
        let other = try SoftwareTPM()
        #expect(throws: PinError(.refused)) { try other.decrypt(message) }
        #expect(try other.leftovers() == "")
    }

    @Test func `a threshold may ask for this TPM twice and something else`() throws {
        let policy: JSON = ["t": 3, "pins": ["tpm2": [[:], ["pcr_ids": "7"]], "null": [:]]]
        #expect(try tpm.decrypt(tpm.encrypt("hello", policy, pin: "sss")) == "hello")
        #expect(try tpm.leftovers() == "")
    }

    @Test(arguments: ["jwk_pub", "jwk_priv"])
    func `a header changed in any place opens nothing and leaves nothing`(member: String) throws {
        let message = try tpm.encrypt("hello", ["pcr_ids": "7"])
        let bytes = try #require(message.parameters?[member]?.string.flatMap { Base64URL.decode($0) })
        for position in Array(0..<16) + Array(stride(from: 16, to: bytes.count, by: 5)) {
            var changed = bytes
            changed[position] ^= 0x41
            try expectFailure(message, member, changed)
        }
        for count in [0, 1, 2, 3, bytes.count - 1] {
            try expectFailure(message, member, Array(bytes.prefix(count)))
        }
        try expectFailure(message, member, bytes + [0])
        try expectFailure(message, member, [UInt8](repeating: 0xff, count: 4096))
        #expect(try tpm.leftovers() == "")
        #expect(try tpm.decrypt(message) == "hello")
    }

    private func expectFailure(_ message: JWE, _ member: String, _ bytes: [UInt8]) throws {
        let forged = try message.with { $0[member] = .string(Base64URL.encode(bytes)) }
        #expect(throws: PinError.self, "\(member) \(Hex.encode(bytes))") { try tpm.decrypt(forged) }
    }

    @Test func `dropping the PCRs from the header does not drop them from the policy`() throws {
        let message = try tpm.encrypt("hello", ["pcr_ids": "7"])
        var parameters = try #require(message.parameters?.object)
        (parameters["pcr_ids"], parameters["pcr_bank"]) = (nil, nil)
        let forged = try JWE.encrypt(
            SecretBytes(copyingPublic: [1]), contentKey: SecretBytes.random(count: 32),
            header: ["clevis": ["pin": "tpm2", "tpm2": .object(parameters)]])
        let error = try #require(throws: PinError(.refused)) { _ = try tpm.decrypt(forged) }
        #expect(error.description.contains("TPM2_Unseal"))
    }

    @Test func `a bank or PCR that the TPM does not have is refused at binding`() throws {
        try tpm.run("tpm2_pcrallocate", "sha1:none+sha256:all+sha384:none+sha512:none")
        // Takes effect when the TPM starts again.
        try tpm.run("tpm2_shutdown", "--clear")
        try tpm.run("swtpm_ioctl", "--unix", "\(tpm.tcti.dropFirst("swtpm:path=".count)).ctrl", "-i")
        try tpm.run("tpm2_startup", "--clear")
        let error = try #require(throws: PinError(.malformed)) {
            _ = try tpm.encrypt("x", ["pcr_bank": "sha1", "pcr_ids": "7"])
        }
        #expect(error.detail == "this TPM has no PCR 7 of bank sha1")
    }

    @Test func `neither sealing nor unsealing leaves a piece of the key in memory`() throws {
        let key = try Canary()
        let sealer = Sealer(tcti: tpm.tcti)
        for text in [#"{"hash":"sha384"}"#, #"{"pcr_ids":"7"}"#] {
            let configuration = try TPM2Configuration(JSON(parsing: text))
            for _ in 0..<4 {
                let none = SecretBytes(copyingPublic: [])
                let header = try sealer.seal(KeyText.write(key.reveal()), auth: none, configuration)
                let unsealed = try KeyText.read(sealer.unseal(header, auth: none, before: .after(seconds: 60)))
                let isEqual = unsealed.equals(key.reveal())
                #expect(isEqual)
            }
        }
        #expect(try key.residues() == 0)
    }

    @Test func `recovering leaves no piece of the secret in memory`() throws {
        let secret = try Canary()
        for _ in 0..<4 {
            let binding = try Binding(issuedAt: 0, owner: nil, registry: tpm.registry)
            let encryptor = try tpm.registry.encryptor(named: "tpm2", for: ["pcr_ids": "7"], in: binding)
            let message = try encryptor.encrypt(secret.reveal())
            let recovered = try PolicyWalk(registry: tpm.registry, deadline: .after(seconds: 60)).recover(message)
            let isEqual = recovered.equals(secret.reveal())
            #expect(isEqual)
        }
        #expect(try secret.residues() == 0)
    }
}
