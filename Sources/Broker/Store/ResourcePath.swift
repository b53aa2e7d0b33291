// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol

/// Where a resource is found: `REPOSITORY/TYPE/TAG`.
public struct ResourcePath: Sendable, Hashable, CustomStringConvertible {
    public let text: String

    /// Letters, digits, `-`, `_` and `.` only, and no part that begins with a dot.
    public init(_ text: String) throws(BrokerError) {
        guard ResourceName.isValid(text) else {
            throw BrokerError(
                "\(text) is not a resource's path", hint: "REPOSITORY/TYPE/TAG, such as default/disk/root")
        }
        self.text = text
    }

    /// The first part.
    var repository: String { String(text.prefix { $0 != "/" }) }

    public var description: String { text }

    static func isPart(_ part: some StringProtocol) -> Bool { ResourceName.isPart(Substring(part)) }
}
