// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// The name of an entry in the area of secrets that an owner has put into an SEV or SEV-ES guest's memory.
public struct SecretGUID: Hashable, Sendable, CustomStringConvertible {
    /// 36 characters in lower case, as Linux names the entry's file.
    public let description: String

    /// What GRUB in AmdSev firmware takes for the passphrase of a disk (edk2, OvmfPkg/AmdSev; GRUB, efisecret).
    public static let diskPassphrase = SecretGUID(known: "736869e5-84f0-4973-92ec-06879ce3da0b")

    /// nil for anything but 8-4-4-4-12 hexadecimal digits in lower case, and for zeros, which stand for an entry that was
    /// removed.
    public init?(_ text: some StringProtocol) {
        let digits = text.utf8.filter { $0 != UInt8(ascii: "-") }
        guard let bytes = Hex.decode(String(decoding: digits, as: UTF8.self)), bytes.count == 16,
            bytes.contains(where: { $0 != 0 }), Self.text(bytes) == String(text)
        else { return nil }
        description = String(text)
    }

    public static func random() throws(PinError) -> SecretGUID {
        var bytes = try Random.bytes(16)
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        return SecretGUID(known: text(bytes))
    }

    /// 16 bytes as UEFI stores it: of the text's five groups the first three are little-endian.
    public var stored: [UInt8] {
        let bytes = Hex.decode(description.filter { $0 != "-" }) ?? []
        return bytes[..<4].reversed() + bytes[4..<6].reversed() + bytes[6..<8].reversed() + bytes[8...]
    }

    private init(known text: String) { description = text }

    private static func text(_ bytes: [UInt8]) -> String {
        [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { Hex.encode(bytes[$0]) }.joined(separator: "-")
    }
}
