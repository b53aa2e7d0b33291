// SPDX-License-Identifier: Apache-2.0
import PinKit
import TPM2Pin
import Testing

/// Headers of the extended form that somebody made up. What is known of clevis' form is in ``TPM2PinTests``.
@Suite(.serialized) struct HostileHeaderTests {
    let tpm: SoftwareTPM

    init() throws { tpm = try SoftwareTPM() }

    /// A message with everything, and what opens it.
    private func full() throws -> (message: JWE, pin: TPM2Pin, signer: PCRSigner) {
        try tpm.makeStorageRoot("ecc")
        let signer = try PCRSigner(.p256, tpm)
        try signer.write([signer.entry([11], tpm)])
        let pin = tpm.typing("1234", signatures: [signer.file])
        let configuration: JSON = [
            "pubkey": .string(signer.publicKey), "pcr_ids": "7", "pin": true, "parent": "srk",
        ]
        return (try tpm.encrypt("hello", configuration, with: pin), pin, signer)
    }

    @Test func `taking any member away, or giving it another kind, opens nothing and leaves nothing`() throws {
        let (message, pin, signer) = try full()
        defer { withExtendedLifetime(signer) {} }
        #expect(try tpm.decrypt(message, with: pin) == "hello")
        let names = try #require(message.parameters?.object?.names)
        #expect(
            names.sorted() == [
                "jwk_priv", "jwk_pub", "name", "parent", "pcr_bank", "pcr_ids", "pin", "pubkey", "pubkey_pcrs",
            ])
        // PCR 11 is the one that is meant where pubkey_pcrs is missing.
        for name in names where name != "pubkey_pcrs" {
            for value in [nil, .null, .integer(7), .string("x"), .array([]), .object([:])] as [JSON?] {
                let forged = try message.with { $0[name] = value }
                #expect(throws: PinError.self, "\(name) \(value?.canonical ?? "missing")") {
                    try tpm.decrypt(forged, with: pin)
                }
            }
        }
        #expect(try tpm.leftovers() == "")
        #expect(try tpm.run("tpm2_getcap", "properties-variable").contains("TPM2_PT_LOCKOUT_COUNTER: 0x0\n"))
    }

    @Test func `a name that differs in any place, or is cut or longer, is refused before anything is proved`() throws {
        let (message, pin, signer) = try full()
        defer { withExtendedLifetime(signer) {} }
        let name = try #require(message.parameters?["name"]?.string.flatMap { Base64URL.decode($0) })
        #expect(name.count == 34)
        var names = name.indices.map { position in name.enumerated().map { $0 == position ? $1 ^ 1 : $1 } }
        names += [Array(name.dropLast()), name + [0], [0], [UInt8](repeating: 0, count: 10_000)]
        for forged in names {
            let error = try #require(throws: PinError(.refused)) {
                try tpm.decrypt(message.with { $0["name"] = .string(Base64URL.encode(forged)) }, with: pin)
            }
            #expect(error.step == "find the parent key")
        }
    }

    @Test func `a public key that is none is an error, and leaves nothing in the TPM`() throws {
        let (message, pin, signer) = try full()
        defer { withExtendedLifetime(signer) {} }
        let point = [UInt8](repeating: 1, count: 32)
        let zeros = [UInt8](repeating: 0, count: 32)
        let modulus = [UInt8](repeating: 0xff, count: 256)
        func ec(_ x: [UInt8], _ y: [UInt8]) -> JSON {
            ["kty": "EC", "crv": "P-256", "x": .string(Base64URL.encode(x)), "y": .string(Base64URL.encode(y))]
        }
        func rsa(_ n: [UInt8], _ e: [UInt8]) -> JSON {
            ["kty": "RSA", "n": .string(Base64URL.encode(n)), "e": .string(Base64URL.encode(e))]
        }
        let keys = [
            ec(point, point), ec(zeros, zeros), ec([], []), ec(point + [1], point), rsa([], []), rsa([1], [3]),
            rsa(modulus, []), rsa(modulus, [0]), rsa(modulus, [0, 1, 0, 1]), rsa(modulus, [1, 0, 0, 0, 1]),
            rsa(modulus, [2]), rsa([0] + modulus, [1, 0, 1]), rsa([UInt8](repeating: 0xff, count: 65_536), [3]),
        ]
        for key in keys {
            let forged = try message.with { $0["pubkey"] = key }
            #expect(throws: PinError.self, "\(key.canonical.prefix(80))") { try tpm.decrypt(forged, with: pin) }
        }
        #expect(try tpm.leftovers() == "")
    }
}
