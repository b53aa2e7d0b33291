// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// RTMR1 and RTMR2 of a TD whose firmware gets kernel, initrd and command line from the hypervisor: what OVMF and Linux' EFI
/// stub measure then. For OVMF of edk2-stable202505 and later, which starts the kernel as its file is.
public struct DirectBootRegisters: Sendable {
    /// 48 bytes each.
    public let rtmr1: [UInt8]
    public let rtmr2: [UInt8]
    /// What is extended into them, in order.
    public let steps: [LaunchStep]

    /// Throws for a kernel that is no EFI application.
    public init(_ files: BootFiles) throws {
        let kernel = try PEImage(files.kernel).authenticode(.sha384)
        let firmware: [Event] = [
            Event("kernel", kernel), Event(action: "Calling EFI Application from Boot Option"),
            Event("separator", Digest.sha384([0, 0, 0, 0])), Event(action: "Exit Boot Services Invocation"),
            Event(action: "Exit Boot Services Returned with Success"),
        ]
        // The firmware says where the initrd is.
        let line = files.commandLine + (files.initrd == nil ? "" : " initrd=initrd")
        let text = (Array(line.utf16) + [0]).flatMap(\.littleEndianBytes)
        let stub =
            [Event("command line", Digest.sha384(text))]
            + (try files.initrd.map { [Event("initrd", try $0.digest(.sha384))] } ?? [])
        rtmr1 = Self.extend(firmware)
        rtmr2 = Self.extend(stub)
        steps =
            firmware.map { LaunchStep(part: "rtmr1 \($0.name)", digest: $0.digest) }
            + stub.map { LaunchStep(part: "rtmr2 \($0.name)", digest: $0.digest) }
    }

    private struct Event {
        let name: String
        let digest: [UInt8]

        init(_ name: String, _ digest: [UInt8]) {
            self.name = name
            self.digest = digest
        }

        init(action: String) { self.init("'\(action)'", Digest.sha384(Array(action.utf8))) }
    }

    private static func extend(_ events: [Event]) -> [UInt8] {
        events.reduce([UInt8](repeating: 0, count: 48)) { Digest.sha384($0 + $1.digest) }
    }
}
