// SPDX-License-Identifier: Apache-2.0

/// How one hypervisor, from one version to the next change, starts a guest: all in which launches of the same firmware
/// differ. A profile never changes its meaning; when a hypervisor changes, it gets another one.
public struct VMMProfile: Sendable {
    /// What `--vmm` takes.
    public let name: String
    /// What it stands for, in a line.
    public let summary: String
    /// Who found it out.
    public let source: String

    /// SEV_FEATURES of every VMSA, unless they are given: bit 0 SNP, bit 5 debug swap.
    var features: UInt64 = 0x1
    var registers = Registers()
    /// Whether CPUID pages come after all other pages that the firmware asks for.
    var measuresCPUIDLast = false
    /// Memory for the firmware's own use is measured as zero pages, or as pages without contents.
    var memoryPages: LaunchDigest.PageType = .zero
    /// Whether an SVSM stands between hypervisor and firmware.
    package var hasSVSM = false

    /// A processor's first state, where it is not what a processor comes out of reset with.
    struct Registers: Sendable {
        /// Attributes of CS on the first processor; the others have 0x9b.
        var firstCode: UInt16 = 0x9b
        var stack: UInt16 = 0x93
        var task: UInt16 = 0x8b
        /// RDX, where it is not the processor's signature.
        var rdx: UInt64?
        var pageAttributes: UInt64 = 0x0007_0406_0007_0406
        var mxcsr: UInt32 = 0x1f80
        var floatingPointControl: UInt16 = 0x37f
        /// Whether it begins in protected mode with flat segments.
        var isFlat = false
    }
}

extension VMMProfile {
    /// All profiles, the one to use without another reason first.
    public static let all = [
        qemu, qemuBefore6_10, qemuDebugSwap, ec2, ec2Of2024, gce, qemuWithSVSM,
    ]

    public static let qemu = VMMProfile(
        name: "qemu-6.10+", summary: "QEMU with KVM of Linux 6.10 or later",
        source: "Linux 6.10 copies the FPU's state into the VMSA; sev-snp-measure pull requests 48 and 49")

    static let qemuBefore6_10 = VMMProfile(
        name: "qemu-pre-6.10", summary: "QEMU with KVM before Linux 6.10", source: "sev-snp-measure pull requests 48 and 49",
        registers: Registers(mxcsr: 0, floatingPointControl: 0))

    static let qemuDebugSwap = VMMProfile(
        name: "qemu-debugswap", summary: "QEMU with KVM that turns debug swap on, as Linux 6.6 and 6.7 do",
        source: "AMDESE/AMDSEV issue 195; sev-snp-measure issues 30 and 32", features: 0x21)

    static let ec2 = VMMProfile(
        name: "ec2-2026", summary: "Amazon EC2", source: "sev-snp-measure 0.0.13, pull request 60",
        registers: ec2Registers(rdx: 0x600), measuresCPUIDLast: true)

    static let ec2Of2024 = VMMProfile(
        name: "ec2-2024", summary: "Amazon EC2 before it began to set RDX", source: "sev-snp-measure 0.0.12",
        registers: ec2Registers(rdx: 0), measuresCPUIDLast: true)

    static let gce = VMMProfile(
        name: "gce", summary: "Google Compute Engine", source: "sev-snp-measure 0.0.13; google/gce-tcb-verifier",
        registers: Registers(rdx: 0x600, pageAttributes: 0x0007_0106, mxcsr: 0, floatingPointControl: 0),
        memoryPages: .unmeasured)

    static let qemuWithSVSM = VMMProfile(
        name: "svsm-qemu", summary: "QEMU with an SVSM below the firmware (--svsm)", source: "sev-snp-measure 0.0.13",
        registers: Registers(floatingPointControl: 0, isFlat: true), hasSVSM: true)

    private static func ec2Registers(rdx: UInt64) -> Registers {
        Registers(firstCode: 0x9a, stack: 0x92, task: 0x83, rdx: rdx, mxcsr: 0, floatingPointControl: 0)
    }

    /// Throws where there is none of that name.
    public init(named name: String) throws(MeasurementError) {
        guard let profile = Self.all.first(where: { $0.name == name }) else {
            let names = Self.all.map(\.name).joined(separator: ", ")
            throw MeasurementError("vmm", "no profile is named \(name); there are \(names)")
        }
        self = profile
    }
}
