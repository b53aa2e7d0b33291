// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FileIO
import LaunchMeasurement
import PinKit

struct MeasureTDX: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tdx", abstract: "MRTD of a TDX guest: 48 bytes in hexadecimal.",
        discussion: """
            What is booted after the firmware is in RTMR1 and RTMR2, which are not computed yet.

            Example:
              cvm-clevis measure tdx --firmware OVMF.inteltdx.fd
            """)

    @Option(help: "The firmware: a TDVF image.")
    var firmware: String

    @Flag(help: "For hypervisors that add a section's pages before they measure the first, as some versions of QEMU do.")
    var pagesFirst = false

    @Flag(help: "Answer with JSON.")
    var json = false

    func run() throws {
        let image = try Firmware(FileIO.read(firmware, limit: Firmware.maximumSize))
        let digest = Hex.encode(try MRTD(firmware: image, addsPagesFirst: pagesFirst).measurement())
        let object: JSON = ["covers": ["firmware"], "mrtd": .string(digest), "tee": "tdx"]
        Console.answer(json ? object.canonical : digest)
    }
}
