// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL
internal import PinKit

/// A big number that is cleared when it goes.
@safe final class Number {
    fileprivate let handle: OpaquePointer

    /// Zero.
    init() throws(PinError) {
        guard let handle = unsafe BN_secure_new() else {
            throw PinError(.failed, step: "allocate a number", detail: "out of memory")
        }
        unsafe self.handle = handle
    }

    deinit { unsafe BN_clear_free(handle) }

    var isZero: Bool { unsafe BN_is_zero(handle) == 1 }
}

/// Arithmetic modulo a prime of `width` bytes. Numbers handed in are below the prime.
@safe struct Field: ~Copyable {
    /// Shares of a wider field would be refused by clevis too; a narrower one is no secret.
    static let allowedWidths = 16...128

    let width: Int
    private let prime: OpaquePointer
    private let context: OpaquePointer

    init(prime bytes: [UInt8]) throws(PinError) {
        guard Field.allowedWidths.contains(bytes.count), bytes.first != 0 else {
            throw PinError(.malformed, step: "read the field", detail: "a prime of \(bytes.count) bytes")
        }
        guard let context = unsafe BN_CTX_secure_new(),
            let prime = unsafe BN_bin2bn(bytes, Int32(bytes.count), nil)
        else { throw PinError(.failed, step: "read the field", detail: "out of memory") }
        guard unsafe bytes == Polynomial.standardPrime || BN_check_prime(prime, context, nil) == 1 else {
            unsafe BN_free(prime)
            unsafe BN_CTX_free(context)
            throw PinError(.malformed, step: "read the field", detail: "p is not a prime")
        }
        self.width = bytes.count
        unsafe self.prime = prime
        unsafe self.context = context
    }

    deinit {
        unsafe BN_free(prime)
        unsafe BN_CTX_free(context)
    }

    func randomize(_ number: Number) throws(PinError) {
        try check(unsafe BN_priv_rand_range(number.handle, prime))
    }

    func add(_ term: Number, to sum: Number) throws(PinError) {
        try check(unsafe BN_mod_add(sum.handle, sum.handle, term.handle, prime, context))
    }

    func multiply(_ product: Number, by factor: Number) throws(PinError) {
        try check(unsafe BN_mod_mul(product.handle, product.handle, factor.handle, prime, context))
    }

    /// `width` bytes, big-endian.
    func bytes(of number: Number) throws(PinError) -> SecretBytes {
        try unsafe SecretBytes(count: width) { (buffer) throws(PinError) in
            let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
            guard unsafe BN_bn2binpad(number.handle, start, Int32(width)) == Int32(width) else { throw failure() }
        }
    }

    /// The coordinates of `point`, x ‖ y.
    func coordinates(of point: borrowing SecretBytes) throws(PinError) -> (x: Number, y: Number) {
        guard point.count == 2 * width, let head = point.slice(0..<width), let tail = point.slice(width..<2 * width) else {
            throw PinError(.malformed, step: "read a share", detail: "\(point.count) bytes, not \(2 * width)")
        }
        let (x, y) = (try number(from: head), try number(from: tail))
        guard !x.isZero else { throw PinError(.malformed, step: "read a share", detail: "its place is 0") }
        return (x, y)
    }

    private func number(from bytes: borrowing SecretBytes) throws(PinError) -> Number {
        let number = try Number()
        try unsafe bytes.withUnsafeBytes { (bytes) throws(PinError) in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            guard unsafe BN_bin2bn(start, Int32(bytes.count), number.handle) != nil else { throw failure() }
        }
        guard unsafe BN_cmp(number.handle, prime) < 0 else {
            throw PinError(.malformed, step: "read a share", detail: "not a point of the field")
        }
        return number
    }

    /// Π xⱼ / (xⱼ − xᵢ) over j ≠ i: the weight of point `index` at 0.
    func lagrangeFactor(_ index: Int, of abscissas: [Number]) throws(PinError) -> Number {
        let (factor, difference) = (try Number(), try Number())
        try check(unsafe BN_set_word(factor.handle, 1))
        for other in abscissas.indices where other != index {
            let (this, that) = (abscissas[index], abscissas[other])
            try check(unsafe BN_mod_sub(difference.handle, that.handle, this.handle, prime, context))
            guard !difference.isZero else {
                throw PinError(.malformed, step: "read a share", detail: "two shares at the same place")
            }
            guard unsafe BN_mod_inverse(difference.handle, difference.handle, prime, context) != nil else { throw failure() }
            try multiply(factor, by: that)
            try multiply(factor, by: difference)
        }
        return factor
    }

    private func check(_ status: Int32) throws(PinError) {
        guard status == 1 else { throw failure() }
    }

    private func failure() -> PinError { PinError(.failed, step: "compute shares", detail: "libcrypto failed") }
}
