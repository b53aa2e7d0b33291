// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// A message of the handshake: one JSON object as the body of a request or an answer. Reading is strict, with errors that
/// name the member; a body is never longer than ``maximumLength``.
public protocol Message: Sendable {
    static var maximumLength: Int { get }
    init(_ json: JSON) throws(JSONError)
    var json: JSON { get }
}

extension Message {
    public init(body: [UInt8]) throws(JSONError) {
        try self.init(try JSON(parsing: body, limit: Self.maximumLength))
    }

    public var body: [UInt8] { Array(json.canonical.utf8) }
}

extension JSONReader {
    /// Bytes in standard base64 with padding, at most `limit` of them.
    mutating func base64(_ name: String, limit: Int) throws(JSONError) -> [UInt8] {
        guard let bytes = try optionalBase64(name, limit: limit) else { throw error(at: name, "is missing") }
        return bytes
    }

    /// The same, or nil where there is none.
    mutating func optionalBase64(_ name: String, limit: Int) throws(JSONError) -> [UInt8]? {
        guard let text = try optionalString(name) else { return nil }
        guard let bytes = Base64.decode(text) else { throw error(at: name, "is not base64") }
        guard bytes.count <= limit else { throw error(at: name, "is \(bytes.count) bytes, more than \(limit)") }
        return bytes
    }

    /// A nonce as the broker wrote it: standard base64 of 32 bytes.
    mutating func nonce(_ name: String) throws(JSONError) -> String {
        let bytes = try base64(name, limit: Challenge.nonceCount)
        guard bytes.count == Challenge.nonceCount else {
            throw error(at: name, "must be \(Challenge.nonceCount) bytes, not \(bytes.count)")
        }
        return Base64.encode(bytes)
    }
}

/// A peer's words for our errors and logs: one line of at most `limit` characters without control characters.
package func printable(_ text: String, limit: Int = 1000) -> String {
    String(
        text.unicodeScalars.prefix(limit).map { scalar -> Character in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: "?"
            default: Character(scalar)
            }
        })
}
