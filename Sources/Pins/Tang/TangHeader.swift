// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// What the header of a message says about its server.
struct TangHeader {
    let url: String
    /// RFC 7638 thumbprint of ``serverKey``; old messages have one with SHA-1.
    let keyID: String
    let serverKey: CurvePoint
    /// All that the server advertised when the message was made.
    let keys: [JSON]

    /// The server's address alone, which takes no cryptography to read.
    static func url(of message: JWE) throws(PinError) -> String {
        do throws(JSONError) {
            var reader = try JSONReader(message.parameters ?? .null, at: "clevis.tang")
            return try reader.string("url")
        } catch {
            throw TangHeader.malformed(error)
        }
    }

    init(_ message: JWE) throws(PinError) {
        do throws(JSONError) {
            var reader = try JSONReader(message.parameters ?? .null, at: "clevis.tang")
            url = try reader.string("url")
            let keys = try KeySet(try reader.required("adv"), limit: Advertisement.maximumKeys, at: "clevis.tang.adv")
            guard let id = message.header["kid"]?.string, let hash = KeySet.Thumbprint(of: id) else {
                throw JSONError(place: "kid", problem: "must be a thumbprint of 43 or 27 characters")
            }
            guard let jwk = keys.keys.first(where: { KeySet.thumbprint(of: $0, hash) == id }) else {
                throw JSONError(place: "kid", problem: "names no key of clevis.tang.adv")
            }
            keyID = id
            serverKey = try CurvePoint(jwk: jwk, at: "clevis.tang.adv")
            self.keys = keys.keys
        } catch {
            throw TangHeader.malformed(error)
        }
    }

    private static func malformed(_ error: JSONError) -> PinError {
        PinError(.malformed, step: "read a tang header", detail: error.description)
    }
}
