// SPDX-License-Identifier: Apache-2.0

/// A one-time private key for Diffie and Hellman's exchange, or for McCallum and Relyea's, which hides from a server what it
/// helps to compute. Overwritten when it goes away.
package struct OneTimeKey: ~Copyable {
    private let scalar: Scalar
    private let element: GroupElement
    package let publicPoint: CurvePoint

    package static func generate(on curve: CurvePoint.Curve) throws(PinError) -> OneTimeKey {
        let scalar = try Scalar.random(on: curve)
        let element = try GroupElement(scalar)
        let point = try element.published()
        return OneTimeKey(scalar: scalar, element: element, publicPoint: point)
    }

    private init(scalar: consuming Scalar, element: consuming GroupElement, publicPoint: CurvePoint) {
        self.scalar = scalar
        self.element = element
        self.publicPoint = publicPoint
    }

    /// d·`point`. `.refused` when that is not on the curve of this key.
    package func multiply(_ point: CurvePoint) throws(PinError) -> SecretPoint {
        SecretPoint(try GroupElement(point).multiplied(by: scalar))
    }

    /// `point` + d·G: looks random to whoever does not know d.
    package func blind(_ point: CurvePoint) throws(PinError) -> CurvePoint {
        try GroupElement(point).adding(element).published()
    }
}

/// A point that two have agreed on. Overwritten when it goes away.
package struct SecretPoint: ~Copyable {
    private let point: GroupElement

    fileprivate init(_ point: consuming GroupElement) { self.point = point }

    /// `point` minus this. `.refused` when that is not on this curve.
    package func subtracted(from point: CurvePoint) throws(PinError) -> SecretPoint {
        SecretPoint(try GroupElement(point).subtracting(self.point))
    }

    /// The A256GCM key of ECDH-ES in direct mode (RFC 7518 §4.6.2) without apu and apv.
    func contentKey() throws(PinError) -> SecretBytes { try point.x().derived(for: "A256GCM") }
}
