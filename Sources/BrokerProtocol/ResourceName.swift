// SPDX-License-Identifier: Apache-2.0

/// What a KBS calls a resource: `REPOSITORY/TYPE/TAG`.
package enum ResourceName {
    /// Three parts of 1 to 128 letters, digits, `-`, `_` and `.` each, none beginning with a dot.
    package static func isValid(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        return parts.count == 3 && parts.allSatisfy(isPart)
    }

    package static func isPart(_ part: Substring) -> Bool {
        guard 1...128 ~= part.utf8.count, part.first != "." else { return false }
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
