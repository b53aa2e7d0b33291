// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// A GUID as UEFI stores it: of its text's five groups the first three are little-endian.
struct GUID: Hashable, Sendable {
    let bytes: [UInt8]

    static let size = 16

    /// `text` is one of this program's own: 8-4-4-4-12 hexadecimal digits.
    init(_ text: StaticString) {
        guard let bytes = Hex.decode("\(text)".filter { $0 != "-" }), bytes.count == Self.size else {
            preconditionFailure("\(text) is not a GUID")
        }
        self.bytes = bytes[..<4].reversed() + bytes[4..<6].reversed() + bytes[6..<8].reversed() + bytes[8...]
    }

    /// `bytes`: 16, as stored.
    init(stored bytes: ArraySlice<UInt8>) { self.bytes = Array(bytes) }
}
