// SPDX-License-Identifier: Apache-2.0

/// Where a resource is found: `REPOSITORY/TYPE/TAG`.
public struct ResourcePath: Sendable, Hashable, CustomStringConvertible {
    /// Characters of each part.
    private static let partCount = 1...128

    public let text: String

    /// Letters, digits, `-`, `_` and `.` only, and no part that begins with a dot.
    public init(_ text: String) throws(BrokerError) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy(Self.isPart) else {
            throw BrokerError(
                "\(text) is not a resource's path", hint: "REPOSITORY/TYPE/TAG, such as default/disk/root")
        }
        self.text = text
    }

    /// The first part.
    var repository: String { String(text.prefix { $0 != "/" }) }

    public var description: String { text }

    static func isPart(_ part: some StringProtocol) -> Bool {
        guard partCount.contains(part.utf8.count), part.first != "." else { return false }
        return part.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
    }
}
