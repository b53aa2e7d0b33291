// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import PinKit

@Suite struct PointExchangeTests {
    private static let curves: [CurvePoint.Curve] = [.p256, .p384, .p521]

    @Test(arguments: curves)
    func `both sides agree on a key`(curve: CurvePoint.Curve) throws {
        let server = try OneTimeKey.generate(on: curve)
        let message = try sealed(to: server.publicPoint)
        let agreed = try server.multiply(message.ephemeralPoint())
        try expectSecret(message.open(agreed: agreed))
    }

    /// McCallum and Relyea: s·(C + E) - e·S = s·C.
    @Test(arguments: curves)
    func `a server helps without learning what with`(curve: CurvePoint.Curve) throws {
        let server = try Scalar.random(on: curve)
        let serverKey = try GroupElement(server).published()
        let message = try sealed(to: serverKey)
        let blinding = try OneTimeKey.generate(on: curve)
        let blinded = try blinding.blind(message.ephemeralPoint())
        #expect(try blinded != message.ephemeralPoint())
        let answer = try GroupElement(blinded).multiplied(by: server).published()
        let agreed = try blinding.multiply(serverKey).subtracted(from: answer)
        try expectSecret(message.open(agreed: agreed))
    }

    @Test(arguments: curves)
    func `a point off the curve is refused`(curve: CurvePoint.Curve) throws {
        let key = try OneTimeKey.generate(on: curve)
        let point = key.publicPoint
        let other = CurvePoint(curve: curve, x: point.x, y: point.y.dropLast() + [point.y.last! ^ 1])
        let zero = [UInt8](repeating: 0, count: curve.length)
        let origin = CurvePoint(curve: curve, x: zero, y: zero)
        for wrong in [other, origin] {
            #expect(throws: PinError(.refused)) { _ = try key.multiply(wrong) }
            #expect(throws: PinError(.refused)) { _ = try key.blind(wrong) }
        }
    }

    /// Another writing of a point would be another message that opens in the same way. The generator's x, and p more.
    @Test func `a coordinate that is not reduced is refused`() throws {
        let x = Hex.decode(
            "00c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8de3348b3c1856a429bf97e7e31c2e5bd66"
        )!
        let y = Hex.decode(
            "011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650"
        )!
        let key = try OneTimeKey.generate(on: .p521)
        _ = try key.multiply(CurvePoint(curve: .p521, x: x, y: y))
        // p is 2^521 - 1.
        var more = x
        more[0] += 2
        more[65] -= 1
        #expect(throws: PinError(.refused)) { _ = try key.multiply(CurvePoint(curve: .p521, x: more, y: y)) }
    }

    @Test func `a point of another curve is refused`() throws {
        let key = try OneTimeKey.generate(on: .p256)
        let other = try OneTimeKey.generate(on: .p521).publicPoint
        #expect(throws: PinError(.refused)) { _ = try key.multiply(other) }
        #expect(throws: PinError(.refused)) { _ = try key.blind(other) }
        let agreed = try key.multiply(OneTimeKey.generate(on: .p256).publicPoint)
        #expect(throws: PinError(.refused)) { _ = try agreed.subtracted(from: other) }
    }

    @Test(arguments: curves)
    func `the point at infinity is no answer`(curve: CurvePoint.Curve) throws {
        let scalar = try Scalar.random(on: curve)
        let other = try OneTimeKey.generate(on: curve)
        let answer = try GroupElement(other.publicPoint).multiplied(by: scalar).published()
        let agreed = try other.multiply(GroupElement(scalar).published())
        #expect(throws: PinError(.refused)) { _ = try agreed.subtracted(from: answer) }
    }

    private func sealed(to point: CurvePoint) throws -> JWE {
        try JWE.encrypt(SecretBytes(copyingPublic: Array("a secret".utf8)), agreeingWith: point, header: [:])
    }

    private func expectSecret(_ opened: borrowing SecretBytes) throws {
        let isSame = opened.equals(SecretBytes(copyingPublic: Array("a secret".utf8)))
        #expect(isSame)
    }
}
