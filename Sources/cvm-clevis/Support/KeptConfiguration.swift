// SPDX-License-Identifier: Apache-2.0
import PinKit

/// What a token keeps of a binding's configuration because the message's headers cannot give it back: the member `config`
/// (docs/spec/luks-token.md §1.1).
struct KeptConfiguration {
    /// The brokers' public keys, of which an envelope has only the thumbprint.
    private(set) var brokers: [PublicKey] = []
    /// By the place of a pin, members of its configuration.
    private(set) var members: JSONObject = [:]

    /// Of a policy that is about to be bound; it has been read by its pins.
    init(of parts: [ConfiguredPin]) {
        for part in parts { keep(part) }
    }

    private mutating func keep(_ part: ConfiguredPin) {
        switch part.pin {
        case "sss", "tang", "null", "file", "trustee": break
        case "tpm2":
            guard let digest = part.configuration["pcr_digest"] else { break }
            members[part.place] = ["pcr_digest": digest]
        case let pin where ConfiguredPin.isAttested(pin):
            // In another mode defaults bring it in, and nobody asks that broker.
            guard part.configuration["mode"] == nil, let jwk = part.configuration["broker"],
                let broker = try? PublicKey(jwk: jwk)
            else { break }
            if !brokers.contains(broker) { brokers.append(broker) }
        // What another program writes into its header is its own affair.
        default: members[part.place] = part.configuration
        }
    }

    /// Of a token; nil is nothing.
    init(_ config: JSONObject?) throws(JSONError) {
        guard let config else { return }
        var reader = JSONReader(config, at: "config")
        for text in try reader.optionalArray("brokers") ?? [] {
            guard let point = text.string.flatMap({ Base64URL.decode($0) }), point.count == 64 else {
                throw reader.error(at: "brokers", "must hold points of 64 bytes in base64url")
            }
            brokers.append(try KeptConfiguration.key(point, "config.brokers"))
        }
        members = try reader.optionalObject("members") ?? [:]
        try reader.finish()
    }

    private static func key(_ point: [UInt8], _ place: String) throws(JSONError) -> PublicKey {
        let (x, y) = (Base64URL.encode(point[..<32]), Base64URL.encode(point[32...]))
        return try PublicKey(jwk: ["kty": "EC", "crv": "P-256", "x": .string(x), "y": .string(y)], at: place)
    }

    /// nil where there is nothing to keep.
    var json: JSONObject? {
        var config: JSONObject = [:]
        if !brokers.isEmpty {
            config["brokers"] = .array(brokers.map { .string(Base64URL.encode($0.point.dropFirst())) })
        }
        if !members.isEmpty { config["members"] = .object(members) }
        return config.isEmpty ? nil : config
    }
}
