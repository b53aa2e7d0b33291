// SPDX-License-Identifier: Apache-2.0
import PinKit
import TPM2Pin
import Testing

/// What needs no TPM.
@Suite struct ConfigurationTests {
    @Test(arguments: [
        (#"{"pcr_ids":7}"#, #"pcr_ids: must be PCRs from 0 to 23, as "7,11" or [7,11]"#),
        (#"{"pcr_ids":""}"#, #"pcr_ids: must be PCRs from 0 to 23, as "7,11" or [7,11]"#),
        (#"{"pcr_ids":[]}"#, #"pcr_ids: must be PCRs from 0 to 23, as "7,11" or [7,11]"#),
        (#"{"pcr_ids":"24"}"#, #"pcr_ids: must be PCRs from 0 to 23, as "7,11" or [7,11]"#),
        (#"{"pcr_ids":[-1]}"#, #"pcr_ids: must be PCRs from 0 to 23, as "7,11" or [7,11]"#),
        (#"{"pcr_ids":"7,,8"}"#, #"pcr_ids: must be PCRs from 0 to 23, as "7,11" or [7,11]"#),
        (#"{"pcr_ids":[9223372036854775807]}"#, #"pcr_ids: must be PCRs from 0 to 23, as "7,11" or [7,11]"#),
        (#"{"pcr_ids":[[7]]}"#, #"pcr_ids: must be PCRs from 0 to 23, as "7,11" or [7,11]"#),
        (#"{"pcr_bank":"sha256"}"#, "pcr_bank: without pcr_ids means nothing"),
        (#"{"pcr_digest":"AA"}"#, "pcr_digest: without pcr_ids means nothing"),
        (#"{"pcr_ids":"7,8","pcr_digest":"AA"}"#, "pcr_digest: must be the 64 bytes of the PCRs' values, not 1"),
        (#"{"hash":"md5"}"#, "hash: must be sha1, sha256, sha384 or sha512"),
        (#"{"key":"dsa"}"#, "key: must be ecc or rsa"),
        (#"{"pcr_id":"7"}"#, "unknown member pcr_id"),
        (#"{"pin":"1234"}"#, "pin: must be true or false"),
        (#"{"pin":true,"hash":"sha1"}"#, "hash: can only be sha256 with pin or pubkey"),
        (#"{"parent":"owner"}"#, #"parent: must be "srk", or left out"#),
        (#"{"parent":"srk","key":"ecc"}"#, "key: means nothing with parent"),
        (#"{"pubkey_pcrs":"11"}"#, "pubkey_pcrs: without pubkey means nothing"),
        (#"{"pubkey":{"kty":"oct","k":"AA"}}"#, "pubkey.kty: must be EC"),
        (#"{"pubkey":{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}}"#, "pubkey.crv: must be P-256, P-384 or P-521"),
        (
            #"{"pubkey":{"kty":"RSA","n":"gAAA","e":"AQAB"}}"#,
            "pubkey.n: must be the modulus of an RSA key of 2048, 3072 or 4096 bits with e up to 4 bytes"
        ),
        (
            #"{"pubkey":"/dev/null"}"#,
            "pubkey: /dev/null is no PEM file with a public key, RSA from 2048 bits or P-256 to P-521"
        ),
        (#"{"pubkey":"/nonexistent"}"#, "pubkey: /nonexistent: No such file or directory"),
    ])
    func `a configuration that cannot work is malformed and says where`(text: String, reason: String) throws {
        let binding = try Binding(issuedAt: 0, owner: nil, registry: PinRegistry([]))
        let error = try #require(throws: PinError(.malformed)) {
            _ = try TPM2Pin(tcti: "none").encryptor(for: JSON(parsing: text), in: binding)
        }
        #expect(error.detail == reason)
    }

    @Test(arguments: ["device:/dev/cvm-clevis-no-tpm", "swtpm:path=/dev/cvm-clevis-no-tpm", "cvm-clevis-no-tcti:"])
    func `no TPM is unavailable, and the error says where it was looked for`(tcti: String) throws {
        let binding = try Binding(issuedAt: 0, owner: nil, registry: PinRegistry([]))
        let encryptor = try TPM2Pin(tcti: tcti).encryptor(for: [:], in: binding)
        let error = try #require(throws: PinError(.unavailable)) {
            _ = try encryptor.encrypt(SecretBytes(copyingPublic: [1]))
        }
        #expect(error.step == "reach the TPM at \(tcti)")
    }
}
