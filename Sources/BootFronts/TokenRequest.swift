// SPDX-License-Identifier: Apache-2.0
internal import LUKS
public import PinKit

/// What the token plugin asks (docs/spec/boot.md §5).
public struct TokenRequest: Sendable {
    /// Bytes of the whole message: the lines and the metadata.
    public static let maximumLength = LoadedHeader.maximumLength + 256

    public let uuid: String
    public let token: Int
    public let metadata: JSON

    public init(_ message: [UInt8]) throws(FrontError) {
        var rest = message[...]
        guard TokenRequest.line(&rest) == "cvm-clevis key 1" else {
            throw FrontError("standard input is not a request of the token plugin (version 1)")
        }
        guard let uuid = TokenRequest.value("uuid ", &rest), !uuid.isEmpty,
            let token = TokenRequest.number("token ", &rest, below: 32),
            let length = TokenRequest.number("metadata ", &rest, below: LoadedHeader.maximumLength + 1),
            length == rest.count
        else { throw FrontError("the request is not complete, or longer than it says") }
        do throws(JSONError) {
            metadata = try JSON(parsing: Array(rest), limit: LoadedHeader.maximumLength)
        } catch {
            throw FrontError("the metadata: \(error)")
        }
        self.uuid = uuid
        self.token = token
    }

    private static func number(_ name: String, _ rest: inout ArraySlice<UInt8>, below limit: Int) -> Int? {
        guard let text = value(name, &rest), let number = Int(text), String(number) == text else { return nil }
        return (0..<limit).contains(number) ? number : nil
    }

    private static func value(_ name: String, _ rest: inout ArraySlice<UInt8>) -> String? {
        guard let line = line(&rest), line.hasPrefix(name) else { return nil }
        return String(line.dropFirst(name.count))
    }

    /// The next line; nil where it is longer than any of ours.
    private static func line(_ rest: inout ArraySlice<UInt8>) -> String? {
        guard let end = rest.prefix(81).firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        defer { rest = rest[(end + 1)...] }
        return String(decoding: rest[..<end], as: UTF8.self)
    }
}
