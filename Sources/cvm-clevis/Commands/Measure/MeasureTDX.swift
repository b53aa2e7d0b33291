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

    @Flag(help: "Answer with JSON.")
    var json = false

    func run() throws {
        let registers = try registers()
        if let set = try set.answer(registers, of: "tdx", covers: launch.covers) { return Console.answer(set.canonical) }
        if json {
            var object: JSONObject = ["covers": .array(launch.covers.map { .string($0) }), "tee": "tdx"]
            for register in registers { object[register.name] = .string(Hex.encode(register.value)) }
            return Console.answer(JSON.object(object).canonical)
        }
        guard registers.count > 1 else { return Console.answer(Hex.encode(registers[0].value)) }
        for register in registers { Console.answer("\(register.name) \(Hex.encode(register.value))") }
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

    private func registers() throws -> [(name: String, value: [UInt8])] {
        var registers = [("mrtd", try MRTD(firmware: launch.image(), addsPagesFirst: pagesFirst).measurement())]
        if let eventLog {
            registers.append(("rtmr0", try Self.firmwareRegister(eventLog)))
        }
        if let files = try launch.files() {
            let booted = try DirectBootRegisters(files)
            registers += [("rtmr1", booted.rtmr1), ("rtmr2", booted.rtmr2)]
        }
        return registers
    }
}
