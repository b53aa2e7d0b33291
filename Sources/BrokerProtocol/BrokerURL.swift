// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// Where a broker answers: `https://host[:port][/path]`, without a slash at the end.
///
/// Only the shape is checked here. That plain `http` leads no further than this machine is the HTTP client's rule.
public struct BrokerURL: Sendable, Equatable, CustomStringConvertible {
    public static let maximumLength = 512

    public let text: String

    public init(_ text: String, at place: String = "") throws(JSONError) {
        func refuse(_ problem: String) -> JSONError { JSONError(place: place, problem: problem) }
        guard text.utf8.count <= BrokerURL.maximumLength else {
            throw refuse("is longer than \(BrokerURL.maximumLength) characters")
        }
        let rest: Substring
        switch text {
        case _ where text.hasPrefix("https://"): rest = text.dropFirst(8)
        case _ where text.hasPrefix("http://"): rest = text.dropFirst(7)
        default: throw refuse("must begin with https://")
        }
        guard let first = rest.first, first != "/", first != ":" else { throw refuse("names no host") }
        // No user information, query or fragment, and nothing that would need escaping: the text is printed in errors.
        guard rest.utf8.allSatisfy(BrokerURL.isAllowed) else { throw refuse("holds a character that has no place in it") }
        guard rest.last != "/" else { throw refuse("must not end with /") }
        self.text = text
    }

    /// The address of one request of the KBS protocol: `auth`, `unseal`.
    public func endpoint(_ name: String) -> String { "\(text)/kbs/v0/\(name)" }

    public var description: String { text }

    private static func isAllowed(_ character: UInt8) -> Bool {
        switch character {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: ":"),
            UInt8(ascii: "/"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"):
            true
        default: false
        }
    }
}
