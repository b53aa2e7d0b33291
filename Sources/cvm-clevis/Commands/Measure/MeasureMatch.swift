// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import BrokerProtocol
import FileIO
import LaunchMeasurement
import PinKit
import TEE

struct MeasureMatch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "match", abstract: "Find the launch that gives the measurement of a report, or what differs from it.",
        discussion: """
            Tries all hypervisors, processor types, numbers of processors and features that are known here, with the kernel, initrd
            and command line as given, as people mistake them, and as --other-… say, and names what is not as given. Exit status: 0
            when a launch fits, 1 when none does.

            Example:
              cvm-clevis measure match report.bin --firmware OVMF.fd --kernel vmlinuz --initrd initrd.img --append quiet --vcpus 4 \\
                --other-firmware OVMF-2024.fd --other-kernel vmlinuz.old --other-initrd initrd.img.old
            """)

    @Argument(help: "An SEV-SNP report of 1184 bytes, or a measurement of 96 hexadecimal digits.")
    var report: String

    @OptionGroup var launch: LaunchOptions

    @Option(help: "How many processors the guest is thought to have.")
    var vcpus = 1

    @Option(help: "Their type.")
    var vcpuType = "EPYC-v4"

    @Option(help: "SEV_FEATURES that the guest is thought to have; the profile has a default.")
    var guestFeatures: GuestFeatures?

    @Option(help: "The hypervisor's profile.")
    var vmm = VMMProfile.qemu.name

    @OptionGroup var module: ModuleOptions
    @OptionGroup var others: OtherLaunches

    @Option(help: "Try up to so many processors.")
    var maximumVcpus = 512

    @Flag(help: "Answer with JSON.")
    var json = false

    func validate() throws {
        for (name, count) in [("vcpus", vcpus), ("maximum-vcpus", maximumVcpus)] {
            guard 1...SNPLaunch.maximumProcessors ~= count else {
                throw ValidationError("--\(name) is 1 to \(SNPLaunch.maximumProcessors)")
            }
        }
    }

    func run() throws {
        let measurement = try measurement()
        var supposed = SNPLaunch(
            firmware: try launch.image(), boot: try launch.boot(), processors: vcpus, type: try VCPUType(named: vcpuType))
        supposed.profile = try VMMProfile(named: vmm)
        supposed.features = guestFeatures?.value
        supposed.svsm = try module.image()
        let search = LaunchSearch(
            supposed: supposed, bases: try others.bases(besides: launch), boots: try others.boots(besides: launch),
            processors: maximumVcpus)
        guard let match = try search.match(measurement) else { throw noMatch(measurement, search.size) }
        answer(match)
    }

    private func measurement() throws -> [UInt8] {
        if let measurement = Hex.decode(report), measurement.count == 48 { return measurement }
        return try SNPReport(parsing: FileIO.read(report, limit: 4096)).measurement
    }

    private func answer(_ match: LaunchSearch.Match) {
        let launch = match.launch
        if json {
            let object: JSON = [
                "differences": .array(match.differences.map { .string($0) }),
                "guest-features": .string(launch.featuresInUse), "profile": .string(launch.profile.name),
                "vcpu-type": .string(launch.type.name), "vcpus": .integer(Int64(launch.processors)),
            ]
            return Console.answer(object.canonical)
        }
        let count = launch.processors == 1 ? "1 processor" : "\(launch.processors) processors"
        Console.answer(
            "matches: \(launch.profile.name), \(count) of type \(launch.type.name), features \(launch.featuresInUse)")
        for difference in match.differences { Console.answer("differs: \(difference)") }
    }

    /// Hypervisor and processors were tried, so that it is none of them.
    private func noMatch(_ measurement: [UInt8], _ size: Int) -> Failure {
        let hint =
            launch.kernel == nil && launch.uki == nil
            ? "the firmware is another one (--other-firmware), or a kernel was booted directly (--kernel, --uki)"
            : "the odd one is the firmware, kernel, initrd or command line: give older ones with --other-firmware, --other-kernel, …"
        return Failure("no launch out of \(size) has measurement \(Hex.encode(measurement))", hint: hint)
    }
}

/// What may have been launched in place of what was given.
struct OtherLaunches: ParsableArguments {
    @Option(help: "Another firmware to try; may be repeated, as may the following.")
    var otherFirmware: [String] = []

    @Option(help: "Another kernel to try.")
    var otherKernel: [String] = []

    @Option(help: "Another initrd to try.")
    var otherInitrd: [String] = []

    @Option(help: "Another command line to try.")
    var otherAppend: [String] = []

    @Option(help: "Another unified kernel image to try.")
    var otherUki: [String] = []

    private static let maximumBoots = 256

    func bases(besides launch: LaunchOptions) throws -> [LaunchSearch.Base] {
        try otherFirmware.map { path in
            LaunchSearch.Base(try Firmware(path: path), differences: ["firmware \(path), not \(launch.firmware)"])
        }
    }

    /// Each kernel with each initrd and each command line; and no kernel.
    func boots(besides launch: LaunchOptions) throws -> [LaunchSearch.Boot] {
        guard let given = try launch.files() else {
            guard otherKernel.isEmpty, otherInitrd.isEmpty, otherAppend.isEmpty, otherUki.isEmpty else {
                throw ValidationError("--other-kernel and the like are besides --kernel or --uki")
            }
            return []
        }
        let name = launch.uki ?? launch.kernel ?? ""
        var boots = [LaunchSearch.Boot(nil, differences: ["kernel none, not \(name)"])]
        for kernel in try kernels(given, name) {
            for initrd in try initrds(of: kernel.digests, launch) {
                for line in lines(kernel.commandLine) {
                    let boot = DirectBoot(kernel: kernel.digests.kernel, initrd: initrd.digest, commandLine: line.text)
                    let differences = kernel.differences + initrd.differences + line.differences
                    if !differences.isEmpty { boots.append(LaunchSearch.Boot(boot, differences: differences)) }
                    guard boots.count <= Self.maximumBoots else {
                        throw ValidationError("these are more than \(Self.maximumBoots) ways to boot")
                    }
                }
            }
        }
        return boots
    }

    private struct Kernel {
        /// Of the kernel and of its own initrd.
        let digests: DirectBoot
        let commandLine: String
        let differences: [String]
    }

    private func kernels(_ given: BootFiles, _ name: String) throws -> [Kernel] {
        var kernels = [Kernel(digests: try DirectBoot(given), commandLine: given.commandLine, differences: [])]
        for path in otherKernel {
            let digest = try DirectBoot(BootFiles(kernel: path, initrd: nil, commandLine: "")).kernel
            let boot = DirectBoot(kernel: digest, initrd: kernels[0].digests.initrd)
            kernels.append(
                Kernel(digests: boot, commandLine: given.commandLine, differences: ["kernel \(path), not \(name)"]))
        }
        for path in otherUki {
            let files = try BootFiles(uki: path)
            kernels.append(
                Kernel(
                    digests: try DirectBoot(files), commandLine: files.commandLine, differences: ["uki \(path), not \(name)"]
                ))
        }
        return kernels
    }

    private struct Initrd {
        let digest: [UInt8]?
        let differences: [String]
    }

    private func initrds(of boot: DirectBoot, _ launch: LaunchOptions) throws -> [Initrd] {
        let name = launch.initrd ?? launch.uki.map { "that of \($0)" } ?? "none"
        var initrds = [Initrd(digest: boot.initrd, differences: [])]
        if boot.initrd != DirectBoot(kernel: []).initrd {
            initrds.append(Initrd(digest: nil, differences: ["initrd none, not \(name)"]))
        }
        for path in otherInitrd {
            // Its digest is that of any file.
            let digest = try DirectBoot(BootFiles(kernel: path, initrd: nil, commandLine: "")).kernel
            initrds.append(Initrd(digest: digest, differences: ["initrd \(path), not \(name)"]))
        }
        return initrds
    }

    private struct Line {
        let text: String
        let differences: [String]
    }

    private func lines(_ given: String) -> [Line] {
        // A UKI's may be anybody's.
        let shown = printable(given)
        var lines = [Line(text: given, differences: [])]
        if !given.isEmpty { lines.append(Line(text: "", differences: ["append none, not '\(shown)'"])) }
        lines.append(Line(text: given + " ", differences: ["append with a space at its end"]))
        lines.append(Line(text: given + "\n", differences: ["append with a newline at its end"]))
        return lines + otherAppend.map { Line(text: $0, differences: ["append '\($0)', not '\(shown)'"]) }
    }
}
