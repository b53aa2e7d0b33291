// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import Glibc
internal import PinKit

/// What libcrypto has to do for one handshake of one envelope, and nothing around it: no text is parsed or written, nothing is stored.
///
/// Of the audit log's signature a handshake pays a share that depends on how many there are at the time: it is left out.
@safe final class Operations {
    private let chip: OpaquePointer
    private let owner: OpaquePointer
    private let broker: OpaquePointer
    private let message = [UInt8](repeating: 7, count: 672)
    private var ofChip = [UInt8](repeating: 0, count: 96)
    private var ofOwner = [UInt8](repeating: 0, count: 64)
    /// The sender's point in the envelope, and the guest's.
    private var point = [UInt8](repeating: 0, count: 65)
    private let content = SecretBytes(copyingPublic: [UInt8](repeating: 5, count: 96))
    private let data = [UInt8](repeating: 9, count: 700)

    init() throws {
        guard let chip = unsafe cvm_generate_ec("P-384"), let owner = unsafe cvm_generate_ec("P-256"),
            let broker = unsafe cvm_generate_ec("P-256")
        else { throw LoadError("no keys") }
        unsafe (self.chip, self.owner, self.broker) = (chip, owner, broker)
        guard unsafe cvm_sign_p384(chip, message, message.count, &ofChip) == 1,
            unsafe cvm_sign_es256(owner, message, message.count, &ofOwner) == 1,
            unsafe cvm_p256_point(owner, &point) == 1
        else { throw LoadError("no signatures") }
    }

    /// Microseconds of processor time for each step, and how many handshakes a second they all allow.
    func measured(seconds: Int) throws -> String {
        let steps: [(String, () throws -> Void)] = [
            ("verify a report (P-384)", verifyReport), ("verify the owner (P-256)", verifyOwner),
            ("open an envelope", open), ("seal an answer", seal),
        ]
        var result: JSONObject = [:]
        var sum = 0.0
        for (name, step) in steps {
            let time = try Self.time(of: step, seconds: Double(seconds) / Double(steps.count))
            result[name] = .integer(Int64(time * 1e6))
            sum += time
        }
        result["per_second"] = .integer(Int64(1 / sum))
        return JSON.object(result).compact
    }

    private static func time(of step: () throws -> Void, seconds: Double) throws -> Double {
        let start = clock()
        var count = 0
        while Double(clock() - start) / Double(CLOCKS_PER_SEC) < seconds {
            for _ in 0..<20 { try step() }
            count += 20
        }
        return Double(clock() - start) / Double(CLOCKS_PER_SEC) / Double(count)
    }

    private func verifyReport() throws {
        guard unsafe cvm_verify_ecdsa(chip, EVP_sha384(), ofChip, 48, message, message.count) == 1 else { throw Self.failed }
    }

    private func verifyOwner() throws {
        guard unsafe cvm_verify_ecdsa(owner, EVP_sha256(), ofOwner, 32, message, message.count) == 1 else {
            throw Self.failed
        }
    }

    private func open() throws {
        try unsafe agree(broker)
        try crypt()
    }

    private func seal() throws {
        guard let ephemeral = unsafe cvm_generate_ec("P-256") else { throw Self.failed }
        defer { unsafe EVP_PKEY_free(ephemeral) }
        try unsafe agree(ephemeral)
        try crypt()
    }

    /// From a point to the key that wraps, and the key in 40 bytes.
    private func agree(_ key: OpaquePointer) throws {
        guard let peer = unsafe cvm_ec_public_key("P-256", point, point.count) else { throw Self.failed }
        defer { unsafe EVP_PKEY_free(peer) }
        var (shared, wrapping) = ([UInt8](repeating: 0, count: 32), [UInt8](repeating: 0, count: 32))
        var wrapped = [UInt8](repeating: 0, count: 40)
        guard unsafe cvm_ecdh(key, peer, &shared, 32) == 1,
            unsafe cvm_concat_kdf(shared, 32, data, 30, &wrapping) == 1,
            unsafe cvm_key_wrap(wrapping, 1, shared, &wrapped) == 1
        else { throw Self.failed }
    }

    private func crypt() throws {
        let key = try SecretBytes.random(count: 32)
        _ = try AESGCM.encrypt(content, key: key, iv: Random.bytes(AESGCM.ivCount), data: data)
    }

    private static let failed = LoadError("libcrypto failed")
}
