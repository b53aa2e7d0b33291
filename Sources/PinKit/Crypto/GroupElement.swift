// SPDX-License-Identifier: Apache-2.0
internal import COpenSSL

/// A point as libcrypto computes with it. Any may be a secret, so all are overwritten.
///
/// Not private: release builds of other modules destroy what holds one, and would not find a private type's metadata.
@safe struct GroupElement: ~Copyable {
    let curve: CurvePoint.Curve
    private let point: OpaquePointer

    /// `.refused` for a point that is not on its curve. These curves have prime order, so every other one will do.
    init(_ point: CurvePoint) throws(PinError) {
        let octets = [GroupElement.uncompressed] + point.x + point.y
        try unsafe self.init(on: point.curve) { (group, result) in
            unsafe EC_POINT_oct2point(group, result, octets, octets.count, nil)
        }
    }

    /// `scalar`·G.
    init(_ scalar: borrowing Scalar) throws(PinError) {
        try unsafe self.init(on: scalar.curve) { (group, result) in
            unsafe EC_POINT_mul(group, result, scalar.number, nil, nil, nil)
        }
    }

    /// Runs `compute`, which writes a point and says 1 where that went well.
    private init(
        on curve: CurvePoint.Curve, _ compute: (OpaquePointer, OpaquePointer) -> Int32
    ) throws(PinError) {
        let group = unsafe curve.group
        guard let point = unsafe EC_POINT_new(group) else {
            throw PinError(.failed, step: "exchange keys", detail: opensslReason())
        }
        guard unsafe compute(group, point) == 1, unsafe EC_POINT_is_at_infinity(group, point) == 0 else {
            unsafe EC_POINT_clear_free(point)
            ERR_clear_error()
            throw GroupElement.refusal
        }
        self.curve = curve
        unsafe self.point = point
    }

    deinit { unsafe EC_POINT_clear_free(point) }

    func multiplied(by scalar: borrowing Scalar) throws(PinError) -> GroupElement {
        guard scalar.curve == curve else { throw GroupElement.refusal }
        return try unsafe GroupElement(on: curve) { (group, result) in
            unsafe EC_POINT_mul(group, result, nil, point, scalar.number, nil)
        }
    }

    func adding(_ other: borrowing GroupElement) throws(PinError) -> GroupElement {
        guard other.curve == curve else { throw GroupElement.refusal }
        return try unsafe GroupElement(on: curve) { (group, result) in
            unsafe EC_POINT_add(group, result, point, other.point, nil)
        }
    }

    func subtracting(_ other: borrowing GroupElement) throws(PinError) -> GroupElement {
        guard other.curve == curve else { throw GroupElement.refusal }
        return try unsafe GroupElement(on: curve) { (group, result) in
            let negated = unsafe EC_POINT_copy(result, other.point) == 1 && EC_POINT_invert(group, result, nil) == 1
            return unsafe negated ? EC_POINT_add(group, result, point, result, nil) : 0
        }
    }

    /// To be told to others.
    func published() throws(PinError) -> CurvePoint {
        let octets = try octets()
        let bytes = unsafe octets.withUnsafeBytes { unsafe Array($0.dropFirst()) }
        return CurvePoint(curve: curve, x: Array(bytes.prefix(curve.length)), y: Array(bytes.suffix(curve.length)))
    }

    /// The x-coordinate, `curve.length` bytes.
    func x() throws(PinError) -> SecretBytes {
        guard let x = try octets().slice(1..<1 + curve.length) else { throw GroupElement.refusal }
        return x
    }

    /// Uncompressed (SEC 1 §2.3.3): a byte and both coordinates.
    private func octets() throws(PinError) -> SecretBytes {
        try unsafe SecretBytes(count: 1 + 2 * curve.length) { (buffer) throws(PinError) in
            let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
            let count = unsafe EC_POINT_point2oct(
                curve.group, point, POINT_CONVERSION_UNCOMPRESSED, start, buffer.count, nil)
            guard count == buffer.count else {
                throw PinError(.failed, step: "exchange keys", detail: opensslReason())
            }
        }
    }

    private static let uncompressed: UInt8 = 4
    private static var refusal: PinError {
        PinError(.refused, step: "exchange keys", detail: "a point is not on the curve")
    }
}

/// A secret number from 1 to the order of a curve, exclusive. Overwritten when it goes away.
@safe struct Scalar: ~Copyable {
    let curve: CurvePoint.Curve
    fileprivate let number: OpaquePointer

    static func random(on curve: CurvePoint.Curve) throws(PinError) -> Scalar {
        let order = unsafe EC_GROUP_get0_order(curve.group)
        guard let number = unsafe BN_new() else { throw failure() }
        // It is multiplied in constant time.
        unsafe BN_set_flags(number, BN_FLG_CONSTTIME)
        repeat {
            guard unsafe BN_priv_rand_range(number, order) == 1 else {
                unsafe BN_clear_free(number)
                throw failure()
            }
        } while unsafe BN_is_zero(number) == 1
        return unsafe Scalar(curve: curve, number: number)
    }

    private init(curve: CurvePoint.Curve, number: OpaquePointer) {
        self.curve = curve
        unsafe self.number = number
    }

    deinit { unsafe BN_clear_free(number) }

    private static func failure() -> PinError {
        PinError(.failed, step: "generate a key", detail: opensslReason())
    }
}

extension CurvePoint.Curve {
    /// libcrypto's, made once.
    fileprivate var group: OpaquePointer {
        switch self {
        case .p256: unsafe Groups.p256
        case .p384: unsafe Groups.p384
        case .p521: unsafe Groups.p521
        }
    }
}

/// Only read after they are made, by as many threads as there are.
private enum Groups {
    nonisolated(unsafe) static let p256 = unsafe group(NID_X9_62_prime256v1)
    nonisolated(unsafe) static let p384 = unsafe group(NID_secp384r1)
    nonisolated(unsafe) static let p521 = unsafe group(NID_secp521r1)

    private static func group(_ name: Int32) -> OpaquePointer {
        guard let group = unsafe EC_GROUP_new_by_curve_name(name) else {
            preconditionFailure("libcrypto has NIST's curves")
        }
        return unsafe group
    }
}
