// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// TCB_VERSION: security patch levels of the firmware's parts, one byte each, in an order that depends on the product.
///
/// It has no total order: read as an integer, a new microcode would hide an old boot loader. There is only
/// ``isAtLeast(_:)``, which holds when every component does.
public struct TCBVersion: Sendable, Hashable {
    /// 8 bytes as they stand in the report.
    public let bytes: [UInt8]

    /// nil unless there are 8.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == 8 else { return nil }
        self.bytes = bytes
    }

    init(_ field: SNPField, of report: [UInt8]) { bytes = field.bytes(of: report) }

    /// From 16 hexadecimal digits, the bytes in the report's order; nil for any other text.
    public init?(hex: String) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes)
    }

    public var hex: String { Hex.encode(bytes) }

    /// Whether every component is at least that of `minimum`. A component is one byte in each layout, so this compares the
    /// reserved bytes too; both must be of the same layout, which whoever calls knows from the product.
    public func isAtLeast(_ minimum: TCBVersion) -> Bool {
        zip(bytes, minimum.bytes).allSatisfy { $0 >= $1 }
    }

    /// `bl 10, tee 0, snp 23, ucode 84`: for people.
    public func description(in layout: TCBLayout) -> String {
        layout.components.map { "\($0.name) \(bytes[$0.index])" }.joined(separator: ", ")
    }
}

/// Which byte of a TCB_VERSION is which component.
public enum TCBLayout: Sendable {
    /// Milan and Genoa.
    case milan
    /// Turin and later.
    case turin

    /// Named components with the index of their byte, 0 to 7, in that order; the others are reserved.
    public var components: [(name: String, index: Int)] {
        switch self {
        case .milan: [("bl", 0), ("tee", 1), ("snp", 6), ("ucode", 7)]
        case .turin: [("fmc", 0), ("bl", 1), ("tee", 2), ("snp", 3), ("ucode", 7)]
        }
    }
}
