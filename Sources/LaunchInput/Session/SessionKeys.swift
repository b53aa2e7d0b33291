// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// What owner and firmware share for one launch: the transport encryption key and the transport integrity key, 16 bytes each.
public struct SessionKeys: ~Copyable, Sendable {
    public let tek: SecretBytes
    public let tik: SecretBytes

    static let length = 16

    public init(tek: consuming SecretBytes, tik: consuming SecretBytes) throws(PinError) {
        guard tek.count == Self.length, tik.count == Self.length else {
            throw PinError(
                .malformed, step: "session keys", detail: "TEK and TIK have \(tek.count) and \(tik.count) bytes, not 16")
        }
        self.tek = tek
        self.tik = tik
    }

    static func generate() throws(PinError) -> SessionKeys {
        try SessionKeys(tek: .random(count: length), tik: .random(count: length))
    }
}
