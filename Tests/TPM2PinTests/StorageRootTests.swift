// SPDX-License-Identifier: Apache-2.0
import PinKit
import TPM2Pin
import Testing

@Suite(.serialized) struct StorageRootTests {
    let tpm: SoftwareTPM

    init() throws { tpm = try SoftwareTPM() }

    @Test(arguments: ["ecc", "rsa"])
    func `what is sealed under the storage root key comes back`(kind: String) throws {
        try tpm.makeStorageRoot(kind)
        for configuration in [["parent": "srk"], ["parent": "srk", "pcr_ids": "7"]] as [JSON] {
            let message = try tpm.encrypt("hello", configuration)
            #expect(message.parameters?["parent"] == "srk")
            #expect(message.parameters?["key"] == nil)
            #expect(try tpm.decrypt(message) == "hello")
        }
        let secured = try tpm.encrypt("hello", ["parent": "srk", "pin": true], with: tpm.typing("1234"))
        #expect(try tpm.decrypt(secured, with: tpm.typing("1234")) == "hello")
        #expect(try tpm.leftovers() == "")
    }

    @Test func `its name in the header is the one that the TPM's own tools tell`() throws {
        try tpm.makeStorageRoot("ecc")
        let message = try tpm.encrypt("hello", ["parent": "srk"])
        let name = try #require(message.parameters?["name"]?.string.flatMap { Base64URL.decode($0) })
        let told = try tpm.run("tpm2_readpublic", "-c", "0x81000001")
        #expect(told.contains("name: \(Hex.encode(name))\n"))
    }

    @Test func `a lockout does not reach what has no PIN under it`() throws {
        try tpm.makeStorageRoot("ecc")
        let message = try tpm.encrypt("hello", ["parent": "srk"])
        let secured = try tpm.encrypt("hello", ["parent": "srk", "pin": true], with: tpm.typing("1234"))
        for _ in 0..<3 { #expect(throws: PinError(.refused)) { try tpm.decrypt(secured, with: tpm.typing("0")) } }
        let error = try #require(throws: PinError(.unavailable)) { try tpm.decrypt(secured, with: tpm.typing("1234")) }
        #expect(error.detail.hasPrefix("too many wrong PINs: locked"))
        #expect(try tpm.decrypt(message) == "hello")
    }

    @Test func `where there is none, the error says how to make it`() throws {
        let error = try #require(throws: PinError(.unavailable)) { try tpm.encrypt("hello", ["parent": "srk"]) }
        #expect(error.step == "find the storage root key")
        #expect(error.detail.contains("nothing is at 0x81000001"))
        #expect(error.detail.contains("tpm2_evictcontrol -C o -c srk 0x81000001"))
    }

    @Test func `another key in its place is refused at opening`() throws {
        try tpm.makeStorageRoot("ecc")
        let message = try tpm.encrypt("hello", ["parent": "srk"])
        try tpm.run("tpm2_evictcontrol", "-C", "o", "-c", "0x81000001")
        #expect(throws: PinError(.unavailable)) { try tpm.decrypt(message) }
        try tpm.makeStorageRoot("rsa")
        let error = try #require(throws: PinError(.refused)) { try tpm.decrypt(message) }
        #expect(error.detail.hasPrefix("it is another one than at binding"))
        #expect(try tpm.leftovers() == "")
    }

    @Test(arguments: [
        ("ecc:ecdsa-sha256:null", "restricted|sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth"),
        ("ecc", "decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth"),
    ])
    func `a key that is no storage key is refused at binding`(kind: String, attributes: String) throws {
        try tpm.makeStorageRoot(kind, attributes: attributes)
        let error = try #require(throws: PinError(.refused)) { try tpm.encrypt("hello", ["parent": "srk"]) }
        #expect(error.detail.contains("no restricted decryption key"))
    }

    @Test func `stock clevis refuses it without asking the TPM`() throws {
        try tpm.makeStorageRoot("ecc")
        let message = try tpm.encrypt("hello", ["parent": "srk"])
        let failure = try #require(throws: SoftwareTPM.Failure.self) {
            try tpm.run("clevis", "decrypt", input: message.compact)
        }
        #expect(failure.message.contains("JWE missing required 'hash' header parameter!"))
    }
}
