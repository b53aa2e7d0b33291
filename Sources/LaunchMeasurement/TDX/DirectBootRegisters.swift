// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// RTMR1 and RTMR2 of a TD whose firmware gets kernel, initrd and command line from the hypervisor: what OVMF and Linux' EFI
/// stub measure then. For OVMF of edk2-stable202505 and later, which starts the kernel as its file is.
public struct DirectBootRegisters: Sendable {
    /// 48 bytes each.
    public let rtmr1: [UInt8]
    public let rtmr2: [UInt8]

    /// Throws for a kernel that is no EFI application.
    public init(_ files: BootFiles) throws {
        let kernel = try PEImage(files.kernel).authenticode(.sha384)
        let actions = ["Exit Boot Services Invocation", "Exit Boot Services Returned with Success"].map(Self.measure)
        rtmr1 = Self.extend([kernel, Self.measure("Calling EFI Application from Boot Option"), Self.separator] + actions)
        // The firmware says where the initrd is.
        let line = files.commandLine + (files.initrd == nil ? "" : " initrd=initrd")
        let text = (Array(line.utf16) + [0]).flatMap(\.littleEndianBytes)
        rtmr2 = Self.extend([Digest.sha384(text)] + (try files.initrd.map { [try $0.digest(.sha384)] } ?? []))
    }

    private static let separator = Digest.sha384([0, 0, 0, 0])

    private static func measure(_ action: String) -> [UInt8] { Digest.sha384(Array(action.utf8)) }

    private static func extend(_ digests: [[UInt8]]) -> [UInt8] {
        digests.reduce([UInt8](repeating: 0, count: 48)) { Digest.sha384($0 + $1) }
    }
}
