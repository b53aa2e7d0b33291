// SPDX-License-Identifier: Apache-2.0
import LaunchMeasurement
import PinKit
import Testing

@Suite struct FirmwareTests {
    static func measure(_ bytes: [UInt8], boot: DirectBoot? = nil) throws -> [UInt8] {
        try SNPLaunch(firmware: Firmware(bytes), boot: boot, processors: 2, type: VCPUType(named: "EPYC-v4")).measurement()
    }

    @Test func `an image without metadata is measured as it is, and says that it has none`() throws {
        let bytes = [UInt8](repeating: 0, count: 4096)
        #expect(try !Firmware(bytes).hasSEVMetadata)
        let launch = SNPLaunch(firmware: try Firmware(bytes), processors: 1, type: try VCPUType(named: "EPYC"))
        #expect(try launch.steps().map(\.part) == ["firmware", "processor 0"])
        #expect(try Firmware(FirmwareDraft.amdSev.bytes).hasSEVMetadata)
    }

    @Test func `a kernel is refused where the firmware would not check it`() throws {
        var draft = FirmwareDraft.amdSev
        draft.sections.removeAll { $0.type == 0x10 }
        #expect(throws: MeasurementError.self) { try Self.measure(draft.bytes, boot: GoldenTests.nothing) }
        draft = .amdSev
        draft.entries.removeAll { $0.guid == FirmwareDraft.hashTable }
        #expect(throws: MeasurementError.self) { try Self.measure(draft.bytes, boot: GoldenTests.nothing) }
        #expect(throws: MeasurementError.self) {
            try SEVLaunch(firmware: Firmware(draft.bytes), boot: GoldenTests.nothing).measurement()
        }
    }

    /// As edk2's OvmfX64 before September 2025: an entry for hashes that says nowhere.
    @Test func `a place of zero for a kernel's hashes is none, for SNP, SEV-ES and SEV`() throws {
        var draft = FirmwareDraft.amdSev
        draft.sections.removeAll { $0.type == 0x10 }
        draft.entries = draft.entries.map { entry in
            entry.guid == FirmwareDraft.hashTable ? (entry.guid, FirmwareDraft.word(0) + FirmwareDraft.word(0)) : entry
        }
        let firmware = try Firmware(draft.bytes)
        let processors = SEVLaunch.Processors(count: 1, type: try VCPUType(named: "EPYC-v4"))
        #expect(throws: MeasurementError.self) { try Self.measure(draft.bytes, boot: GoldenTests.nothing) }
        #expect(throws: MeasurementError.self) {
            try SEVLaunch(firmware: firmware, boot: GoldenTests.nothing, processors: processors).measurement()
        }
        #expect(throws: MeasurementError.self) {
            try SEVLaunch(firmware: firmware, boot: GoldenTests.nothing).measurement()
        }
        #expect(try SEVLaunch(firmware: firmware).measurement() == Digest.sha256(draft.bytes))
        #expect(try Self.measure(draft.bytes).count == 48)
    }

    @Test func `hashes that do not fit their page are refused`() {
        var draft = FirmwareDraft.amdSev
        draft.entries = draft.entries.map { entry in
            entry.guid == FirmwareDraft.hashTable ? (entry.guid, FirmwareDraft.word(0x810f80)) : entry
        }
        #expect(throws: MeasurementError.self) { try Self.measure(draft.bytes, boot: GoldenTests.nothing) }
    }

    @Test func `sections of unknown types, of parts of pages or without end are refused`() {
        let bad: [FirmwareDraft.Section] = [
            .init(address: 0x820000, size: 0x1000, type: 9), .init(address: 0x820000, size: 0x1001, type: 1),
            .init(address: 0x820001, size: 0x1000, type: 1), .init(address: 0, size: 0xffff_f000, type: 1),
            .init(address: 0x820000, size: 0x2000, type: 2), .init(address: 0x820000, size: 0, type: 3),
        ]
        for section in bad {
            var draft = FirmwareDraft.amdSev
            draft.sections.append(section)
            #expect(throws: MeasurementError.self) { try Self.measure(draft.bytes) }
        }
    }

    @Test func `a table that names something twice is refused`() {
        var draft = FirmwareDraft.amdSev
        draft.entries.append(draft.entries[0])
        #expect(throws: MeasurementError.self) { try Firmware(draft.bytes) }
    }

    @Test func `no change of a byte of table or metadata makes it crash`() throws {
        let bytes = FirmwareDraft.amdSev.bytes
        let tableStart = bytes.count - 32 - 110
        for index in Array(0..<100) + Array(tableStart..<bytes.count) {
            for value: UInt8 in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                var changed = bytes
                changed[index] = value
                _ = try? Self.measure(changed, boot: GoldenTests.nothing)
            }
        }
        for count in [0, 1, 17, 18, 31, 32, 49, 50, 51, 4095] { _ = try? Firmware(Array(bytes.suffix(count))) }
    }

    @Test(arguments: [-1, Int.max, Int.min, 64 << 20 | 1]) func `variables that no machine has room for are refused`(
        size: Int
    ) throws {
        var draft = FirmwareDraft.amdSev
        draft.entries.append((FirmwareDraft.guid("a789a61205974c4ba49fcbb1fe9d1ddd"), FirmwareDraft.word(16)))
        let firmware = try Firmware(draft.bytes)
        var launch = SNPLaunch(firmware: firmware, processors: 1, type: try VCPUType(named: "EPYC"))
        launch.profile = try VMMProfile(named: "svsm-qemu")
        launch.svsm = .init(image: firmware, variablesSize: size)
        #expect(throws: MeasurementError.self) { try launch.measurement() }
        launch.svsm = .init(image: firmware, variablesSize: 4096)
        #expect(try launch.measurement().count == 48)
    }

    @Test func `without kernel and processors SEV measures the file`() throws {
        let bytes = FirmwareDraft.amdSev.bytes
        #expect(try SEVLaunch(firmware: Firmware(bytes)).measurement() == Digest.sha256(bytes))
    }

    @Test func `each step of SEV-ES has the digest of all up to it`() throws {
        let firmware = try Firmware(FirmwareDraft.amdSev.bytes)
        let type = try VCPUType(named: "EPYC-v4")
        let launch = SEVLaunch(firmware: firmware, boot: GoldenTests.nothing, processors: .init(count: 2, type: type))
        let steps = try launch.steps()
        #expect(steps.map(\.part) == ["firmware", "kernel hashes", "processor 0", "processor 1"])
        #expect(try steps[0].digest == SEVLaunch(firmware: firmware).measurement())
        #expect(try steps[1].digest == SEVLaunch(firmware: firmware, boot: GoldenTests.nothing).measurement())
        #expect(try steps[3].digest == launch.measurement())
    }

    @Test func `numbers of processors that no machine has are refused`() throws {
        for count in [0, -1, 4097] {
            let launch = SNPLaunch(
                firmware: try Firmware(FirmwareDraft.amdSev.bytes), processors: count, type: try VCPUType(named: "EPYC"))
            #expect(throws: MeasurementError.self) { try launch.measurement() }
        }
    }

    @Test(arguments: [
        ("EPYC-v4", 0x800f12), ("EPYC-Rome", 0x830f10), ("EPYC-Milan-v2", 0xa00f11), ("EPYC-Genoa", 0xa10f10),
        ("EPYC-Turin", 0xb00f00), ("0x123", 0x123),
    ])
    func `a type has its processors' signature`(name: String, signature: UInt32) throws {
        #expect(try VCPUType(named: name).signature == signature)
    }
}
