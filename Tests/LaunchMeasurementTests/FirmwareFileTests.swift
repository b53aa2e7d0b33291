// SPDX-License-Identifier: Apache-2.0
import Foundation
import LaunchMeasurement
import PinKit
import Testing

/// An image in a file is measured as the same bytes in memory are.
@Suite final class FirmwareFileTests {
    let file = FileManager.default.temporaryDirectory.appending(path: "cvm-firmware-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: file) }

    func write(_ bytes: [UInt8]) throws { try Data(bytes).write(to: URL(fileURLWithPath: file)) }

    /// Larger than a piece of a file, with other bytes on each page.
    static var large: [UInt8] {
        var draft = FirmwareDraft.amdSev
        draft.size = 50 * 4096
        draft.entries[2].data = FirmwareDraft.word(UInt32(draft.size))
        var bytes = draft.bytes
        for page in 1..<49 { bytes[page * 4096 + page] = UInt8(page) }
        return bytes
    }

    static func measurements(_ firmware: Firmware) throws -> [[UInt8]] {
        let type = try VCPUType(named: "EPYC-v4")
        return [
            try SNPLaunch(firmware: firmware, boot: GoldenTests.nothing, processors: 2, type: type).measurement(),
            try SEVLaunch(firmware: firmware, processors: .init(count: 2, type: type)).measurement(),
        ]
    }

    @Test func `SNP, SEV and SEV-ES do not tell them apart`() throws {
        try write(Self.large)
        #expect(try Self.measurements(Firmware(path: file)) == Self.measurements(Firmware(Self.large)))
    }

    @Test(arguments: [false, true]) func `TDX does not tell them apart`(addsPagesFirst: Bool) throws {
        try write(MRTDTests.image)
        let inFile = MRTD(firmware: try Firmware(path: file), addsPagesFirst: addsPagesFirst)
        #expect(
            try inFile.measurement()
                == MRTD(firmware: Firmware(MRTDTests.image), addsPagesFirst: addsPagesFirst).measurement())
    }

    @Test func `a table as long as one can be is found`() throws {
        var draft = FirmwareDraft.amdSev
        draft.size = 32 * 4096
        let other = FirmwareDraft.guid("00000000000040008000000000000001")
        draft.entries[2].data = FirmwareDraft.word(UInt32(draft.size))
        let usual = draft.entries.reduce(18) { $0 + $1.data.count + 18 }
        draft.entries.insert((other, [UInt8](repeating: 1, count: 65535 - usual - 18)), at: 0)
        try write(draft.bytes)
        #expect(try Firmware(path: file).hasSEVMetadata && Firmware(draft.bytes).hasSEVMetadata)
    }

    @Test func `a file that shrinks after it was opened is named`() throws {
        try write(Self.large)
        let firmware = try Firmware(path: file)
        #expect(unsafe truncate(file, 4096) == 0)
        let error = try #require(throws: MeasurementError.self) { try Self.measurements(firmware) }
        #expect(error == MeasurementError(file, "it was cut short while it was read"))
        try FileManager.default.removeItem(atPath: file)
        let gone = try #require(throws: MeasurementError.self) { try Self.measurements(firmware) }
        #expect(gone == MeasurementError(file, "No such file or directory"))
    }

    @Test func `a kernel from a pipe is refused and not taken for an empty one`() throws {
        #expect(unsafe mkfifo(file, 0o600) == 0)
        #expect(throws: (any Error).self) { try BootFiles(kernel: self.file, initrd: nil, commandLine: "") }
        #expect(throws: (any Error).self) { try Firmware(path: self.file) }
    }
}
