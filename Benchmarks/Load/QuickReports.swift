// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit
internal import Synchronization
internal import TEESimulator

/// Reports of one simulated chip that cost their maker little, so that who asks is faster than the broker that verifies.
///
/// An ECDSA signature is cheap where its secret number was chosen before. All reports here share one, which gives the key away to
/// whoever sees two: it is the simulator's, and printed in its source. For use by one thread at a time.
@safe final class QuickReports {
    /// The host's table.
    let certificates: [UInt8]
    private var report: [UInt8]
    private let order: OpaquePointer
    private let inverse: OpaquePointer
    /// R times the private key.
    private let product: OpaquePointer
    private let sum: OpaquePointer
    private let context: OpaquePointer

    init() throws {
        let chip = try SimulatedSNP()
        certificates = chip.certificates
        report = try chip.report(for: [UInt8](repeating: 0, count: 64))
        let group = unsafe EC_GROUP_new_by_curve_name(NID_secp384r1)
        let context = unsafe BN_CTX_new()!
        let secret = unsafe BN_new()!
        let point = unsafe EC_POINT_new(group)
        let r = unsafe BN_new()!
        unsafe order = BN_dup(EC_GROUP_get0_order(group))
        unsafe BN_rand_range(secret, order)
        unsafe EC_POINT_mul(group, point, secret, nil, nil, context)
        unsafe EC_POINT_get_affine_coordinates(group, point, r, nil, context)
        unsafe BN_nnmod(r, r, order, context)
        unsafe inverse = BN_mod_inverse(nil, secret, order, context)
        unsafe product = BN_new()
        let key = try unsafe Self.privateKey()
        unsafe BN_mod_mul(product, r, key, order, context)
        unsafe sum = BN_new()
        unsafe self.context = context
        unsafe Self.put(r, into: &report, at: 0x2a0)
    }

    /// A report over `data`, 64 bytes.
    func report(over data: [UInt8]) -> [UInt8] {
        report.replaceSubrange(0x50..<0x90, with: data)
        let digest = Digest.sha384(Array(report[..<0x2a0]))
        unsafe BN_bin2bn(digest, 48, sum)
        unsafe BN_mod_add(sum, sum, product, order, context)
        unsafe BN_mod_mul(sum, sum, inverse, order, context)
        unsafe Self.put(sum, into: &report, at: 0x2a0 + 72)
        return report
    }

    /// Little-endian in 72 bytes, as a report has it.
    private static func put(_ number: OpaquePointer, into report: inout [UInt8], at offset: Int) {
        var bytes = [UInt8](repeating: 0, count: 72)
        unsafe BN_bn2lebinpad(number, &bytes, 72)
        report.replaceSubrange(offset..<offset + 72, with: bytes)
    }

    private static func privateKey() throws -> OpaquePointer {
        let pem = Array(SimulatedTrust.vcekPrivateKey.utf8)
        var number: OpaquePointer?
        let key = unsafe pem.withUnsafeBytes { unsafe cvm_read_private_key($0.baseAddress, $0.count) }
        guard unsafe EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1, let number = unsafe number else {
            throw LoadError("the simulator's key cannot be read")
        }
        return unsafe number
    }
}

/// One of them for all guests.
final class SharedReports: Sendable {
    let certificates: [UInt8]
    private let reports: Mutex<QuickReports>

    init() throws {
        let reports = try QuickReports()
        certificates = reports.certificates
        self.reports = Mutex(reports)
    }

    func report(over data: [UInt8]) -> [UInt8] { reports.withLock { $0.report(over: data) } }
}

struct LoadError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
