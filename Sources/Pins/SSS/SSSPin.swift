// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A threshold of other pins: any `t` of them give the secret back, fewer give nothing (Shamir's secret sharing).
///
/// Wire-compatible with clevis' `sss` in both directions; nests. Configuration: `{"t":2,"pins":{"tang":[{…},{…}],"null":{}}}`,
/// `t` from 1 (the default) to the number of pins. Layout and mathematics: docs/spec/pins.md.
public struct SSSPin: PolicyPin {
    public let name = "sss"

    public init() {}

    public func encryptor(for configuration: JSON, in binding: Binding) throws(PinError) -> any Encryptor {
        let policy = try SSSConfiguration(configuration)
        var children: [any Encryptor] = []
        for (index, child) in policy.children.enumerated() {
            do throws(PinError) {
                children.append(try binding.registry.encryptor(named: child.pin, for: child.configuration, in: binding))
            } catch {
                throw error.within("[\(index)]")
            }
        }
        return SSSEncryptor(needed: policy.needed, children: children)
    }

    public func threshold(of message: JWE) throws(PinError) -> Threshold {
        let header = try SSSHeader(message)
        return Threshold(needed: header.needed, children: header.children)
    }

    public func combine(_ shares: borrowing Shares, of message: JWE) throws(PinError) -> SecretBytes {
        let header = try SSSHeader(message)
        let key = try Polynomial.interpolate(shares, over: header.prime)
        do throws(PinError) {
            return try message.decrypt(contentKey: key)
        } catch {
            throw PinError(error.code, step: "combine shares", detail: error.detail)
        }
    }
}

private struct SSSEncryptor: Encryptor {
    let needed: Int
    let children: [any Encryptor]

    func encrypt(_ secret: borrowing SecretBytes) throws(PinError) -> JWE {
        let polynomial = try Polynomial(degree: needed - 1, over: Polynomial.standardPrime)
        var messages: [JSON] = []
        for (index, child) in children.enumerated() {
            let point = try polynomial.randomPoint()
            do throws(PinError) {
                messages.append(.string(try child.encrypt(point).compact))
            } catch {
                throw error.within("[\(index)]")
            }
        }
        let header: JSONObject = [
            "clevis": [
                "pin": "sss",
                "sss": [
                    "jwe": .array(messages), "p": .string(Base64URL.encode(Polynomial.standardPrime)),
                    "t": .integer(Int64(needed)),
                ],
            ]
        ]
        return try JWE.encrypt(secret, contentKey: polynomial.secret(), header: header)
    }
}
