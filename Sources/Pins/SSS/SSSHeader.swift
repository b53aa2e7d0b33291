// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// What an `sss` message says of itself: `{"jwe":["<compact>",…],"p":"<prime>","t":N}`.
struct SSSHeader {
    let needed: Int
    let prime: [UInt8]
    let children: [JWE]

    init(_ message: JWE) throws(PinError) {
        try message.requireAlgorithm("dir")
        do {
            var reader = try JSONReader(message.parameters ?? .null, at: "clevis.sss")
            let messages = try reader.strings("jwe")
            guard (1...SSSConfiguration.maximumChildren).contains(messages.count) else {
                throw reader.error(at: "jwe", "must hold from 1 to \(SSSConfiguration.maximumChildren) messages")
            }
            prime = try reader.base64URL("p")
            needed = Int(try reader.integer("t", in: 1...Int64(messages.count)))
            var children: [JWE] = []
            for message in messages { children.append(try JWE(compact: message)) }
            self.children = children
        } catch let error as PinError {
            throw error
        } catch {
            throw PinError(.malformed, step: "read an sss header", detail: "\(error)")
        }
    }
}
