// SPDX-License-Identifier: Apache-2.0
import Foundation
import PinKit
import TPM2Pin
import Testing

@Suite(.serialized) struct SignedPolicyTests {
    let tpm: SoftwareTPM

    init() throws { tpm = try SoftwareTPM() }

    @Test(arguments: PCRSigner.Kind.allCases)
    func `values that the key's owner signed open, before and after an update, and others do not`(kind: PCRSigner.Kind)
        throws
    {
        let signer = try PCRSigner(kind, tpm)
        let pin = TPM2Pin(tcti: tpm.tcti, signatureFiles: [signer.file])
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)], with: pin)
        #expect(message.parameters?["pubkey_pcrs"] == "11")
        let now = try signer.entry([11], tpm)
        try signer.write([now])
        #expect(try tpm.decrypt(message, with: pin) == "hello")
        try tpm.extend(11)
        let error = try #require(throws: PinError(.refused)) { try tpm.decrypt(message, with: pin) }
        #expect(error.detail.hasSuffix("1 for PCR 11 of bank sha256, none of them over the values they have now"))
        try signer.write([now, signer.entry([11], tpm)])
        #expect(try tpm.decrypt(message, with: pin) == "hello")
        #expect(try tpm.leftovers() == "")
    }

    @Test func `the key may be given as a JWK, and the header has it as one`() throws {
        let signer = try PCRSigner(.p256, tpm)
        try signer.write([signer.entry([4, 11], tpm)])
        let pin = TPM2Pin(tcti: tpm.tcti, signatureFiles: [signer.file])
        let fromFile = try tpm.encrypt("x", ["pubkey": .string(signer.publicKey)], with: pin)
        let key = try #require(fromFile.parameters?["pubkey"])
        #expect(key.object?.names.sorted() == ["crv", "kty", "x", "y"])
        let message = try tpm.encrypt("hello", ["pubkey": key, "pubkey_pcrs": [11, 4]], with: pin)
        #expect(message.parameters?["pubkey"] == key)
        #expect(try tpm.decrypt(message, with: pin) == "hello")
    }

    /// docs/spec/pins.md §5.2, computed here from what the TPM's specification says (part 3, 23.7, 23.16, 23.17).
    @Test(arguments: [PCRSigner.Kind.rsa2048, .p384])
    func `the policy is the one of the specification: the key, then PCRs, then the PIN`(kind: PCRSigner.Kind) throws {
        let signer = try PCRSigner(kind, tpm)
        let configuration: JSON = ["pubkey": .string(signer.publicKey), "pcr_ids": "7,15", "pin": true]
        let message = try tpm.encrypt("hello", configuration, with: tpm.typing("1234"))
        let name = try [0, 0x0b] + Digest.sha256(publicArea(of: #require(message.parameters?["pubkey"])))
        let zeros = [UInt8](repeating: 0, count: 32)
        // PolicyAuthorize (0x16a) with the key's name, then with an empty reference.
        var policy = Digest.sha256(Digest.sha256(zeros + [0, 0, 1, 0x6a] + name))
        // PolicyPCR (0x17f): one selection, bank sha256 (0x000b), 3 bytes; both PCRs are zero.
        let selection: [UInt8] = [0, 0, 0, 1, 0, 0x0b, 3, 0x80, 0x80, 0]
        policy = Digest.sha256(policy + [0, 0, 1, 0x7f] + selection + Digest.sha256(zeros + zeros))
        // PolicyAuthValue (0x16b).
        policy = Digest.sha256(policy + [0, 0, 1, 0x6b])
        let area = try #require(message.parameters?["jwk_pub"]?.string.flatMap { Base64URL.decode($0) })
        #expect(Hex.encode(area[12..<44]) == Hex.encode(policy))

        try signer.write([signer.entry([11], tpm)])
        #expect(try tpm.decrypt(message, with: tpm.typing("1234", signatures: [signer.file])) == "hello")
        #expect(throws: PinError(.refused)) {
            try tpm.decrypt(message, with: tpm.typing("4321", signatures: [signer.file]))
        }
        try tpm.extend(15)
        let error = try #require(throws: PinError(.refused)) {
            try tpm.decrypt(message, with: tpm.typing("1234", signatures: [signer.file]))
        }
        #expect(error.detail.hasPrefix("PCRs 7,15 of bank sha256: other values than at binding"))
    }

    /// What the policy names the key by: type, nameAlg SHA-256, userWithAuth, decrypt and sign, no policy, no schemes, the key.
    private func publicArea(of key: JSON) throws -> [UInt8] {
        func bytes(_ name: String) throws -> [UInt8] { try #require(key[name]?.string.flatMap { Base64URL.decode($0) }) }
        let common: [UInt8] = [0, 0x0b, 0, 6, 0, 0x40, 0, 0, 0, 0x10, 0, 0x10]
        if key["kty"] == "RSA" {
            #expect(try bytes("e") == [1, 0, 1])
            return try [0, 1] + common + [8, 0, 0, 0, 0, 0, 1, 0] + bytes("n")
        }
        return try [0, 0x23] + common + [0, 4, 0, 0x10, 0, 48] + bytes("x") + [0, 48] + bytes("y")
    }

    /// Signs for an image of one section and the four phases of systemd's; the TPM is brought to the first of them.
    @Test func `what systemd-measure signs opens`() throws {
        let signer = try PCRSigner(.rsa2048, tpm)
        let kernel = signer.folder.appendingPathComponent("linux")
        try Data("a kernel".utf8).write(to: kernel)
        let text = try tpm.run(
            "/usr/lib/systemd/systemd-measure", "sign", "--linux=\(kernel.path)", "--bank=sha256", "--json=short",
            "--private-key=\(signer.privateKey)", "--public-key=\(signer.publicKey)", "--tpm2-device=\(tpm.tcti)")
        try signer.write(text)
        let pin = TPM2Pin(tcti: tpm.tcti, signatureFiles: [signer.file])
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)], with: pin)
        let before = try #require(throws: PinError(.refused)) { try tpm.decrypt(message, with: pin) }
        #expect(before.detail.hasSuffix("4 for PCR 11 of bank sha256, none of them over the values they have now"))
        for measured in [".linux\0", "a kernel", "enter-initrd"] { try tpm.extend(11, with: Array(measured.utf8)) }
        #expect(try tpm.decrypt(message, with: pin) == "hello")
    }

    @Test func `without a file it is unavailable, and the error names the places`() throws {
        let signer = try PCRSigner(.p256, tpm)
        let pin = TPM2Pin(tcti: tpm.tcti, signatureFiles: ["\(signer.file).1", "\(signer.file).2"])
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)], with: pin)
        let error = try #require(throws: PinError(.unavailable)) { try tpm.decrypt(message, with: pin) }
        #expect(error.detail == "none of \(signer.file).1, \(signer.file).2 is there")
    }

    @Test func `a second file counts too`() throws {
        let (signer, other) = (try PCRSigner(.p256, tpm), try PCRSigner(.p256, tpm))
        try other.write([other.entry([11], tpm)])
        try signer.write([signer.entry([11], tpm)])
        let pin = TPM2Pin(tcti: tpm.tcti, signatureFiles: [other.file, signer.file])
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)], with: pin)
        #expect(try tpm.decrypt(message, with: pin) == "hello")
    }

    @Test(arguments: [PCRSigner.Kind.rsa2048, .p256])
    func `a signature by another key is refused, even under the right fingerprint`(kind: PCRSigner.Kind) throws {
        let (signer, other) = (try PCRSigner(kind, tpm), try PCRSigner(kind, tpm))
        let pin = TPM2Pin(tcti: tpm.tcti, signatureFiles: [signer.file])
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)], with: pin)
        try signer.write([other.entry([11], tpm)])
        let unnamed = try #require(throws: PinError(.refused)) { try tpm.decrypt(message, with: pin) }
        #expect(unnamed.detail.hasSuffix("no signature by this key for PCR 11 of bank sha256"))
        var forged = try #require(try other.entry([11], tpm).object)
        let genuine = try signer.entry([11], tpm)
        forged["pkfp"] = genuine["pkfp"]
        try signer.write([.object(forged)])
        let error = try #require(throws: PinError(.refused)) { try tpm.decrypt(message, with: pin) }
        #expect(error.step == "TPM2_PolicyAuthorize")
        // Beside a genuine one a false one does no harm.
        try signer.write([.object(forged), genuine])
        #expect(try tpm.decrypt(message, with: pin) == "hello")
        #expect(try tpm.leftovers() == "")
    }

    @Test func `a signature over other PCRs, or values in another bank, is none`() throws {
        let signer = try PCRSigner(.p256, tpm)
        let pin = TPM2Pin(tcti: tpm.tcti, signatureFiles: [signer.file])
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)], with: pin)
        try signer.write([signer.entry([11, 12], tpm)])
        #expect(throws: PinError(.refused)) { try tpm.decrypt(message, with: pin) }
        try signer.write([signer.entry([11], bank: "sha1", tpm)], bank: "sha1")
        #expect(throws: PinError(.refused)) { try tpm.decrypt(message, with: pin) }
    }

    @Test func `another key in the header is refused by the TPM`() throws {
        let (signer, other) = (try PCRSigner(.p256, tpm), try PCRSigner(.p256, tpm))
        let pin = TPM2Pin(tcti: tpm.tcti, signatureFiles: [other.file])
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)], with: pin)
        let key = try #require(try tpm.encrypt("x", ["pubkey": .string(other.publicKey)], with: pin).parameters?["pubkey"])
        try other.write([other.entry([11], tpm)])
        let error = try #require(throws: PinError(.refused)) {
            try tpm.decrypt(message.with { $0["pubkey"] = key }, with: pin)
        }
        #expect(error.step == "TPM2_Unseal")
    }

    @Test(arguments: [
        "", "{", "null", "[]", "{}", #"{"sha256":null}"#, #"{"sha256":{}}"#, #"{"sha256":[null,1,"x",[]]}"#,
        #"{"sha256":[{"pcrs":[11]}]}"#, #"{"sha256":[{"pcrs":[-1],"pkfp":"","pol":"","sig":""}]}"#,
        #"{"sha256":[{"pcrs":[9223372036854775807]}]}"#, #"{"sha256":[],"sha256":[]}"#,
        String(repeating: "[", count: 100_000), #"{"sha256":""# + String(repeating: "A", count: 300_000) + #""}"#,
    ])
    func `a broken file opens nothing and stops nothing`(text: String) throws {
        let signer = try PCRSigner(.p256, tpm)
        let pin = TPM2Pin(tcti: tpm.tcti, signatureFiles: [signer.file])
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)], with: pin)
        try signer.write(text)
        #expect(throws: PinError.self) { try tpm.decrypt(message, with: pin) }
        #expect(try tpm.leftovers() == "")
    }

    @Test(arguments: [PCRSigner.Kind.rsa2048, .p256])
    func `a damaged signature is refused or none`(kind: PCRSigner.Kind) throws {
        let signer = try PCRSigner(kind, tpm)
        let pin = TPM2Pin(tcti: tpm.tcti, signatureFiles: [signer.file])
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)], with: pin)
        let entry = try #require(try signer.entry([11], tpm).object)
        let signature = try #require(entry["sig"]?.string.flatMap { Base64.decode($0) })
        var damaged = stride(from: 0, to: signature.count, by: signature.count / 12).map { position in
            signature.enumerated().map { $0 == position ? $1 ^ 0x41 : $1 }
        }
        damaged += [[], [0x30, 0x80], signature + [0], Array(signature.dropLast()), [UInt8](repeating: 0xff, count: 512)]
        // r and s that are zero, negative, or too long for the curve.
        damaged += [[0x30, 6, 2, 1, 0, 2, 1, 0], [0x30, 6, 2, 1, 0xff, 2, 1, 1]]
        damaged += [[0x30, 0x26, 2, 0x21] + [UInt8](repeating: 1, count: 33) + [2, 1, 1]]
        for bytes in damaged {
            var entry = entry
            entry["sig"] = .string(Base64.encode(bytes))
            try signer.write([.object(entry)])
            #expect(throws: PinError.self, "\(Hex.encode(bytes))") { try tpm.decrypt(message, with: pin) }
        }
        #expect(try tpm.leftovers() == "")
    }

    @Test func `stock clevis refuses it without asking the TPM`() throws {
        let signer = try PCRSigner(.p256, tpm)
        let message = try tpm.encrypt("hello", ["pubkey": .string(signer.publicKey)])
        let failure = try #require(throws: SoftwareTPM.Failure.self) {
            try tpm.run("clevis", "decrypt", input: message.compact)
        }
        #expect(failure.message.contains("JWE missing required 'hash' header parameter!"))
    }
}
