// SPDX-License-Identifier: Apache-2.0
public import BrokerProtocol
public import PinKit

/// What an owner needs to know about a broker (`public.json`, docs/spec/broker.md §5): nothing in it is secret, but who can
/// change it on its way to the owner decides who opens the owner's disks.
public struct PublicDescription: Sendable, Equatable {
    public let url: BrokerURL
    public let broker: PublicKey
    /// SHA-256 of the TLS SubjectPublicKeyInfo, 32 bytes, and of the next one where there is one; nil where clients verify against
    /// certificate authorities.
    public let tls: [UInt8]?

    package init(url: BrokerURL, broker: PublicKey, tls: [UInt8]?) {
        self.url = url
        self.broker = broker
        self.tls = tls
    }

    package init(parsing text: String, at path: String) throws(BrokerError) {
        do throws(JSONError) {
            var reader = try JSONReader(JSON(parsing: text))
            _ = try reader.integer("version", in: 1...1)
            self.url = try BrokerURL(try reader.string("url"), at: "url")
            self.broker = try PublicKey(jwk: try reader.required("broker"), at: "broker")
            self.tls = try reader.optionalTLSPins("tls")
            try reader.finish()
        } catch {
            throw BrokerError("\(path): \(error)")
        }
    }

    public var json: JSON {
        var members: JSONObject = ["version": 1, "url": .string(url.text), "broker": broker.jwk]
        if let tls { members["tls"] = .string(Base64URL.encode(tls)) }
        return .object(members)
    }
}

extension BrokerURL {
    /// The host alone, an IPv6 address without its brackets: whom a certificate is for.
    var host: String {
        let authority = text.drop { $0 != "/" }.dropFirst(2).prefix { $0 != "/" }
        if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
        return String(authority.prefix { $0 != ":" })
    }
}
