// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// SHA-256 of what a hypervisor boots directly, without a boot loader. The firmware compares what it is given with these.
public struct DirectBoot: Sendable, Equatable {
    /// Of the kernel's file as the hypervisor passes it on.
    public let kernel: [UInt8]
    /// Of nothing, where there is no initrd.
    public let initrd: [UInt8]
    /// Of the text with a NUL behind it.
    public let commandLine: [UInt8]

    /// `kernel` and `initrd` are SHA-256 of the files.
    public init(kernel: [UInt8], initrd: [UInt8]? = nil, commandLine: String = "") {
        self.kernel = kernel
        self.initrd = initrd ?? Digest.sha256([])
        self.commandLine = Digest.sha256(Array(commandLine.utf8) + [0])
    }

    /// The digests of the three.
    public var steps: [LaunchStep] {
        [("kernel", kernel), ("initrd", initrd), ("command line", commandLine)].map { LaunchStep(part: $0, digest: $1) }
    }

    private static let table = GUID("9438d606-4f22-4cc9-b479-a793d411fd21")
    private static let commandLineEntry = GUID("97d02dd8-bd20-4c94-aa78-e7714d36ab2a")
    private static let initrdEntry = GUID("44baf731-3a2f-4bd7-9af1-41e29169781d")
    private static let kernelEntry = GUID("4de79437-abd2-427f-b835-d5b172d2045b")

    /// The table that a hypervisor puts into the guest's memory (QEMU, sev_add_kernel_loader_hashes), 176 bytes.
    var hashTable: [UInt8] {
        let entries =
            entry(Self.commandLineEntry, commandLine) + entry(Self.initrdEntry, initrd) + entry(Self.kernelEntry, kernel)
        let table = entry(Self.table, entries)
        return table + [UInt8](repeating: 0, count: -table.count & 15)
    }

    /// A GUID, the u16 length of the whole, and what it is about.
    private func entry(_ guid: GUID, _ data: [UInt8]) -> [UInt8] {
        guid.bytes + UInt16(GUID.size + 2 + data.count).littleEndianBytes + data
    }
}
