// SPDX-License-Identifier: Apache-2.0
public import PinKit
public import TEE

/// The area of secrets that firmware and kernel look for in the guest's memory (Linux, drivers/virt/coco/efi_secret; edk2,
/// "SEV secret block"): a header, then entries by their GUIDs.
public struct SecretTable: ~Copyable {
    /// What OVMF sets aside for it.
    public static let maximumLength = 0xc00
    private static let header = SecretGUID("1e74f542-71dd-4d66-963e-ef4287ff173b")
    /// A GUID and the u32 length of what it stands before, itself included.
    private static let prefixLength = 20

    private var entries = SecretBytes(copyingPublic: [])
    private var names: Set<SecretGUID> = []

    public init() {}

    /// `.malformed` for nothing, for a second entry of one name, and where it does not fit any more.
    public mutating func add(_ guid: SecretGUID, _ secret: borrowing SecretBytes) throws(PinError) {
        guard !secret.isEmpty else { throw Self.malformed("the entry \(guid) is empty") }
        guard guid != Self.header, names.insert(guid).inserted else { throw Self.malformed("there are two entries \(guid)") }
        let length = entries.count + Self.prefixLength + secret.count
        guard length + Self.prefixLength <= Self.maximumLength else {
            throw Self.malformed("its entries have more than the \(Self.maximumLength) bytes that the firmware sets aside")
        }
        let prefix = guid.stored + UInt32(Self.prefixLength + secret.count).littleEndianBytes
        entries = entries.appending(SecretBytes(copyingPublic: prefix)).appending(secret)
    }

    /// The whole area: its length, which the header has, is a multiple of 16, as SEV-ES wants it.
    func bytes() throws(PinError) -> SecretBytes {
        guard !names.isEmpty, let header = Self.header else { throw Self.malformed("it has no entries") }
        let length = Self.prefixLength + entries.count
        let padding = -length & 15
        let prefix = header.stored + UInt32(length + padding).littleEndianBytes
        return SecretBytes(copyingPublic: prefix).appending(entries)
            .appending(SecretBytes(copyingPublic: [UInt8](repeating: 0, count: padding)))
    }

    private static func malformed(_ detail: String) -> PinError {
        PinError(.malformed, step: "make the area of secrets", detail: detail)
    }
}
