// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LaunchMeasurement
import PinKit
import TEE

struct MeasureMatch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "match", abstract: "Find the launch that gives the measurement of a report, or what differs from it.",
        discussion: """
            Tries all hypervisors, processor types, numbers of processors and features that are known here, with and without the
            kernel. Exit status: 0 when one fits, 1 when none does: then firmware, kernel, initrd or command line are others.

            Example:
              cvm-clevis measure match report.bin --firmware OVMF.fd --kernel vmlinuz --initrd initrd.img --append quiet --vcpus 4
            """)

    @Argument(help: "An SEV-SNP report of 1184 bytes, or a measurement of 96 hexadecimal digits.")
    var report: String

    @OptionGroup var launch: LaunchOptions

    @Option(help: "How many processors the guest is thought to have.")
    var vcpus = 1

    @Option(help: "Their type.")
    var vcpuType = "EPYC-v4"

    @Option(help: "The hypervisor's profile.")
    var vmm = VMMProfile.qemu.name

    @Option(help: "Try up to so many processors.")
    var maximumVcpus = 512

    @Flag(help: "Answer with JSON.")
    var json = false

    func run() throws {
        guard (1...SNPLaunch.maximumProcessors).contains(maximumVcpus) else {
            throw ValidationError("--maximum-vcpus is 1 to \(SNPLaunch.maximumProcessors)")
        }
        let measurement = try measurement()
        var supposed = SNPLaunch(
            firmware: try launch.image(), boot: try launch.boot(), processors: vcpus, type: try VCPUType(named: vcpuType))
        supposed.profile = try VMMProfile(named: vmm)
        let search = LaunchSearch(supposed: supposed, boots: try launch.otherBoots(), processors: maximumVcpus)
        guard let match = try search.match(measurement) else {
            throw Failure(
                "no launch out of \(search.size) has measurement \(Hex.encode(measurement))",
                hint: "firmware, kernel, initrd or command line are not those of that guest")
        }
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
                "differences": .array(match.differences.map { .string($0) }), "profile": .string(launch.profile.name),
                "vcpu-type": .string(launch.type.name), "vcpus": .integer(Int64(launch.processors)),
            ]
            return Console.answer(object.canonical)
        }
        Console.answer("matches: \(launch.profile.name), \(launch.processors) processors of type \(launch.type.name)")
        for difference in match.differences { Console.answer("differs: \(difference)") }
    }
}

extension LaunchOptions {
    /// What else may have been booted: nothing, or the same with a command line or initrd as people mistake them.
    fileprivate func otherBoots() throws -> [LaunchSearch.Boot] {
        guard let files = try files() else { return [] }
        let given = try DirectBoot(files)
        var boots = [LaunchSearch.Boot("no kernel", nil)]
        func add(_ name: String, initrd: [UInt8]?, _ commandLine: String) {
            let boot = DirectBoot(kernel: given.kernel, initrd: initrd, commandLine: commandLine)
            boots.append(LaunchSearch.Boot(name, boot))
        }
        let commandLine = files.commandLine
        add("without the initrd", initrd: nil, commandLine)
        if !commandLine.isEmpty { add("without a command line", initrd: given.initrd, "") }
        add("a command line that ends in a space", initrd: given.initrd, commandLine + " ")
        add("a command line that ends in a newline", initrd: given.initrd, commandLine + "\n")
        return boots
    }
}
