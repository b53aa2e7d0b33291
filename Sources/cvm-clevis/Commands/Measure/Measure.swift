// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LaunchMeasurement
import PinKit

struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compute, before a guest is launched, what its reports will say of the launch.",
        discussion: """
            Where reports say something else, 'measure match' looks for the input that differs.

            Example:
              cvm-clevis measure snp --firmware OVMF.fd --kernel vmlinuz --initrd initrd.img --append 'root=/dev/vda' --vcpus 4
            """,
        subcommands: [
            MeasureSEV.self, MeasureSEVES.self, MeasureSNP.self, MeasureTDX.self, MeasureMatch.self, MeasureProfiles.self,
        ])
}

struct MeasureProfiles: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "profiles", abstract: "List what --vmm and --vcpu-type take.")

    func run() {
        for profile in VMMProfile.all {
            Console.answer("\(profile.name): \(profile.summary)\n    source: \(profile.source)")
        }
        let types = VCPUType.all.map { "\($0.name) (0x\(String($0.signature, radix: 16)))" }
        Console.answer("processors: \(types.joined(separator: ", "))")
    }
}

/// The firmware and what it boots.
struct LaunchOptions: ParsableArguments {
    @Option(help: "The firmware: an OVMF image.")
    var firmware: String

    @Option(help: "A kernel that is booted directly.")
    var kernel: String?

    @Option(help: "Its initrd.")
    var initrd: String?

    @Option(help: "Its command line.")
    var append: String?

    @Option(help: "A unified kernel image in place of these: its kernel, initrd and command line, booted directly.")
    var uki: String?

    func validate() throws {
        guard kernel != nil || (initrd == nil && append == nil) else {
            throw ValidationError("--initrd and --append are a kernel's; give --kernel")
        }
        guard kernel == nil || uki == nil else { throw ValidationError("--uki brings its own kernel; leave out --kernel") }
    }

    func image() throws -> Firmware { try Firmware(path: firmware) }

    func boot() throws -> DirectBoot? { try files().map { try DirectBoot($0) } }

    /// What is booted directly; nil where the firmware finds its own way.
    func files() throws -> BootFiles? {
        if let uki { return try BootFiles(uki: uki) }
        return try kernel.map { try BootFiles(kernel: $0, initrd: initrd, commandLine: append ?? "") }
    }
}

/// The processors and the hypervisor.
struct ProcessorOptions: ParsableArguments {
    @Option(help: "How many processors the guest has.")
    var vcpus: Int

    @Option(help: "Their type as QEMU names it, or a signature such as 0x800f12: see 'measure profiles'.")
    var vcpuType = "EPYC-v4"

    @Option(help: "How the hypervisor launches: see 'measure profiles'.")
    var vmm = VMMProfile.qemu.name

    func type() throws -> VCPUType { try VCPUType(named: vcpuType) }
    func profile() throws -> VMMProfile { try VMMProfile(named: vmm) }
}
