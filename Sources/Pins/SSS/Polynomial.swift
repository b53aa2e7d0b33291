// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// Shamir's secret sharing over a prime field (docs/spec/pins.md), on libcrypto's big numbers, which it clears as it frees.
struct Polynomial: ~Copyable {
    /// 2²⁵⁶ − 189, the largest prime below 2²⁵⁶. The field may be public and fixed; clevis makes a fresh one each time only
    /// because its library can.
    static let standardPrime: [UInt8] = [UInt8](repeating: 0xff, count: 31) + [0x43]

    private let field: Field
    private let coefficients: [Number]

    /// A random polynomial of degree `degree`, whose value at 0 is the secret.
    init(degree: Int, over prime: [UInt8]) throws(PinError) {
        let field = try Field(prime: prime)
        var coefficients: [Number] = []
        for _ in 0...degree {
            let coefficient = try Number()
            try field.randomize(coefficient)
            coefficients.append(coefficient)
        }
        self.field = field
        self.coefficients = coefficients
    }

    /// The value at 0, as many bytes as the prime has.
    func secret() throws(PinError) -> SecretBytes { try field.bytes(of: coefficients[0]) }

    /// A point at a random abscissa other than 0: x ‖ y, each as many bytes as the prime has.
    func randomPoint() throws(PinError) -> SecretBytes {
        let (x, y) = (try Number(), try Number())
        repeat { try field.randomize(x) } while x.isZero
        for coefficient in coefficients.reversed() {
            try field.multiply(y, by: x)
            try field.add(coefficient, to: y)
        }
        return try field.bytes(of: x).appending(field.bytes(of: y))
    }

    /// The value at 0 of the polynomial through `points` (each x ‖ y): Lagrange's interpolation.
    ///
    /// `.malformed` for a point of another length, an abscissa of 0, one that occurs twice, or a coordinate not below the
    /// prime: shares come from the disk and the network.
    static func interpolate(_ points: borrowing Shares, over prime: [UInt8]) throws(PinError) -> SecretBytes {
        let field = try Field(prime: prime)
        var abscissas: [Number] = []
        var ordinates: [Number] = []
        for index in 0..<points.count {
            let point = try points.withShare(index) { (share) throws(PinError) in try field.coordinates(of: share) }
            abscissas.append(point.x)
            ordinates.append(point.y)
        }
        let sum = try Number()
        for index in abscissas.indices {
            let term = try field.lagrangeFactor(index, of: abscissas)
            try field.multiply(term, by: ordinates[index])
            try field.add(term, to: sum)
        }
        return try field.bytes(of: sum)
    }
}
