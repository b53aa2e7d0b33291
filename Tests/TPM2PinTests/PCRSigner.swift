// SPDX-License-Identifier: Apache-2.0
import Foundation
import PinKit

/// Who signs PCR values: a key in a folder of its own, made and used by the openssl program, and systemd's file.
final class PCRSigner: Sendable {
    enum Kind: String, Sendable, CaseIterable { case rsa2048, rsa3072, p256, p384 }

    let kind: Kind
    let folder: URL
    var publicKey: String { folder.appendingPathComponent("key.pub").path }
    var privateKey: String { folder.appendingPathComponent("key.pem").path }
    var file: String { folder.appendingPathComponent("tpm2-pcr-signature.json").path }

    init(_ kind: Kind, _ tpm: SoftwareTPM) throws {
        self.kind = kind
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("cvm-signer-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        switch kind {
        case .rsa2048: try tpm.run("openssl", "genrsa", "-out", privateKey, "2048")
        case .rsa3072: try tpm.run("openssl", "genrsa", "-out", privateKey, "3072")
        case .p256: try tpm.run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", privateKey)
        case .p384: try tpm.run("openssl", "ecparam", "-name", "secp384r1", "-genkey", "-noout", "-out", privateKey)
        }
        try tpm.run("openssl", "pkey", "-in", privateKey, "-pubout", "-out", publicKey)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    /// What systemd calls pkfp, by the openssl program: RSA's PKCS #1 form, or the point at the end of the usual form.
    func fingerprint(_ tpm: SoftwareTPM) throws -> [UInt8] {
        let path = folder.appendingPathComponent("key.der").path
        if kind == .rsa2048 || kind == .rsa3072 {
            try tpm.run("openssl", "rsa", "-pubin", "-in", publicKey, "-RSAPublicKey_out", "-outform", "DER", "-out", path)
            return Digest.sha256([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))))
        }
        try tpm.run("openssl", "pkey", "-pubin", "-in", publicKey, "-outform", "DER", "-out", path)
        let length = kind == .p256 ? 65 : 97
        return Digest.sha256([UInt8](try Data(contentsOf: URL(fileURLWithPath: path)).suffix(length)))
    }

    /// An entry over the values that `pcrs` have now; the policy is computed by tpm2-tools.
    func entry(_ pcrs: [Int], bank: String = "sha256", _ tpm: SoftwareTPM) throws -> JSON {
        let policy = folder.appendingPathComponent("policy")
        let signature = folder.appendingPathComponent("signature")
        let list = pcrs.map(String.init).joined(separator: ",")
        try tpm.run("tpm2_createpolicy", "--policy-pcr", "-l", "\(bank):\(list)", "-L", policy.path)
        try tpm.run("tpm2_flushcontext", "-l")
        try tpm.run("openssl", "dgst", "-sha256", "-sign", privateKey, "-out", signature.path, policy.path)
        return [
            "pcrs": .array(pcrs.map { .integer(Int64($0)) }), "pkfp": .string(Hex.encode(try fingerprint(tpm))),
            "pol": .string(Hex.encode(try Data(contentsOf: policy))),
            "sig": .string(try Data(contentsOf: signature).base64EncodedString()),
        ]
    }

    func write(_ entries: [JSON], bank: String = "sha256") throws {
        try write(JSON.object([bank: .array(entries)]).compact)
    }

    func write(_ text: String) throws {
        try Data("\(text)\n".utf8).write(to: URL(fileURLWithPath: file))
    }
}
