// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LaunchMeasurement
import PinKit
import TEE

struct MeasureTDX: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tdx", abstract: "MRTD of a TDX guest, and RTMRs: 48 bytes in hexadecimal.",
        discussion: """
            With a kernel that is booted directly RTMR1 and RTMR2, too, for OVMF of edk2-stable202505 or later. RTMR0 depends on
            memory, processors and hypervisor: it is taken from the event log of a machine that you know ('evidence verify' says
            whether a log is that of a genuine quote).

            Example:
              cvm-clevis measure tdx --firmware OVMF.inteltdx.fd --kernel vmlinuz --initrd initrd.img --append 'root=/dev/vda'
              cvm-clevis measure tdx --firmware OVMF.inteltdx.fd --uki linux.efi --event-log ccel.bin --set root-image:2
            """)

    @OptionGroup var launch: LaunchOptions

    @Option(help: ArgumentHelp("A CCEL event log of such a machine, for RTMR0.", valueName: "file"))
    var eventLog: String?

    @OptionGroup var set: SetOptions

    @Flag(help: "For hypervisors that add a section's pages before they measure the first, as some versions of QEMU do.")
    var pagesFirst = false

    @OptionGroup var form: AnswerOptions

    func run() throws {
        let (registers, steps) = try measure()
        if let set = try set.answer(registers, of: "tdx", covers: launch.covers) { return Console.answer(set.canonical) }
        var object: JSONObject = ["covers": .array(launch.covers.map { .string($0) }), "tee": "tdx"]
        for register in registers { object[register.name] = .string(Hex.encode(register.value)) }
        let lines = registers.map { "\(registers.count > 1 ? "\($0.name) " : "")\(Hex.encode($0.value))" }
        form.answer(lines.joined(separator: "\n"), steps, object)
    }

    /// RTMR0, in which firmware measures itself and what it is told of the machine.
    private static func firmwareRegister(_ path: String) throws -> [UInt8] {
        let log = try EventLog(parsing: FileIO.read(path, limit: EventLog.maximumByteCount))
        guard log.events.contains(where: { $0.rtmr == 0 }) else {
            throw Failure(
                "\(path): it has no event of RTMR0, so it is not the log of a firmware",
                hint: "take all of the guest's /sys/firmware/acpi/tables/data/CCEL")
        }
        return log.replay[0]
    }

    private func measure() throws -> (registers: [(name: String, value: [UInt8])], steps: [LaunchStep]) {
        let firmware = MRTD(firmware: try launch.image(), addsPagesFirst: pagesFirst)
        var steps = try firmware.steps()
        var registers = [("mrtd", try steps.last?.digest ?? firmware.measurement())]
        if let eventLog {
            registers.append(("rtmr0", try Self.firmwareRegister(eventLog)))
        }
        if let files = try launch.files() {
            let booted = try DirectBootRegisters(files)
            registers += [("rtmr1", booted.rtmr1), ("rtmr2", booted.rtmr2)]
            steps += booted.steps
        }
        return (registers, steps)
    }
}
