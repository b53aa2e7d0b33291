// SPDX-License-Identifier: Apache-2.0
import LaunchMeasurement
import PinKit
import Testing

/// Measurements published with sev-snp-measure for edk2's AmdSevX64, whose pages need not be here: their digest is known.
@Suite struct GoldenTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let profile: String
        let processors: Int
        let features: UInt64
        let boot: DirectBoot?
        let expected: String

        var testDescription: String { "\(profile), \(processors) processors, features \(features)" }
    }

    static let nothing = DirectBoot(kernel: Digest.sha256([]))
    static let console = DirectBoot(kernel: Digest.sha256([]), commandLine: "console=ttyS0 loglevel=7")

    static let rows: [Row] = [
        row(
            "qemu-6.10+", 1, 0x21, nothing,
            "329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae15d22efc78fb9683632b9b50e4e1d7fa41179ef98a7ef198"),
        row(
            "qemu-6.10+", 1, 0x1, nothing,
            "ddc5224521617a536ee7ce9dd6224d1b58a8d4fda1c741f3ac99fc4bfa04ba6e9fc98646d4a07a9079397fa3852819b5"),
        row(
            "qemu-6.10+", 1, 0x21, console,
            "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba7e534442e7e1e17895dfe778d0228977"),
        row(
            "qemu-6.10+", 1, 0x1, console,
            "6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362f390ef83a92046c042e706363b4b08fa"),
        row(
            "qemu-6.10+", 1, 0x21, nil,
            "e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf281a9278a4a2ebe0eed9f22adbcd0e2b"),
        row(
            "qemu-6.10+", 1, 0x1, nil,
            "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ecabe033c48dd6f6db5d6d76e7c5df632d"),
        row(
            "qemu-6.10+", 4, 0x21, nothing,
            "4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78eafe7b422907be0b4698e2414a631942"),
        row(
            "qemu-6.10+", 4, 0x1, nothing,
            "5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a92441310ba6c4933de877c36e23046ad5"),
        row(
            "ec2-2026", 1, 0x21, nothing,
            "0ce9ccc06bab55eebe8abc234f3df6514883977a68a591b71052498ab52b2f1aa415db338033946ef93aa8278c0d67fb"),
        row(
            "ec2-2026", 1, 0x1, nothing,
            "0883bd0eeb716e65b7b977a321c278d1e51b33b5c655fab985443bbcc65c086b9c15e8a0bd8811050dec7e24964e5056"),
        row(
            "ec2-2024", 1, 0x21, nothing,
            "6ae80856486b1396af8c82a40351d6ed76a20c785e9c7fa4ffa27c22d5d6313b4b3b458cd3c9968e6f89fb5d8450d7a6"),
        row(
            "ec2-2024", 1, 0x1, nothing,
            "7d3756157c805bf6adf617064c8552e8c1688fa1c8756f11cbf56ba5d25c9270fb69c0505c1cbe1c5c66c0e34c6ed3be"),
        row(
            "gce", 1, 0x1, nothing,
            "5da7106cf14cf46b1725ebab123eb9e53bd46a1e9f400cd0c08e7827b04b688ea8b4e403c8404efed4397ea5d5d0722e"),
        row(
            "gce", 4, 0x1, nothing,
            "5c5debf100fc339f90276e761ee1f1658d08922c3b20e2a2e6c7a6c3370b2452a15a00eae11886a93d6fd1e7ab81e29d"),
        row(
            "qemu-pre-6.10", 1, 0x1, console,
            "4893f43d1eca6df6509f37d130aba0d5da227b717f43a76def511e4de7aeffeb991d9a578093103754032d1c87afc1dd"),
        row(
            "qemu-pre-6.10", 1, 0x21, console,
            "e899d4f99f117865ebb60cb7a47c4c592505154fb3a5085ca7738607294649bcb5b2dcd5209e5f9d5ca248b5f5cb6c37"),
    ]

    static func row(
        _ profile: String, _ processors: Int, _ features: UInt64, _ boot: DirectBoot?, _ expected: String
    ) -> Row {
        Row(profile: profile, processors: processors, features: features, boot: boot, expected: expected)
    }

    @Test(arguments: rows) func `the measurement is the published one`(row: Row) throws {
        #expect(Hex.encode(try Self.launch(row).measurement()) == row.expected)
    }

    @Test(arguments: rows) func `a search finds the launch from any other`(row: Row) throws {
        var supposed = try Self.launch(Self.rows[1])
        supposed.processors = 2
        let search = LaunchSearch(
            supposed: supposed,
            boots: [.init(Self.console, differences: ["append"]), .init(nil, differences: ["kernel"])], processors: 8)
        let expected = try #require(Hex.decode(row.expected))
        let match = try #require(try search.match(expected))
        #expect(try match.launch.measurement() == expected)
        #expect(match.differences.contains("vcpus \(row.processors), not 2"))
    }

    @Test func `a search names what was booted, and the firmware, where they are others`() throws {
        let type = try VCPUType(named: "EPYC-v4")
        var old = FirmwareDraft.amdSev
        old.sections[0].size += 4096
        let supposed = SNPLaunch(
            firmware: try Firmware(FirmwareDraft.amdSev.bytes), boot: Self.nothing, processors: 2, type: type)
        let search = LaunchSearch(
            supposed: supposed, bases: [.init(try Firmware(old.bytes), differences: ["firmware old, not new"])],
            boots: [.init(Self.console, differences: ["append long, not short"])], processors: 4)
        var launched = SNPLaunch(firmware: try Firmware(old.bytes), boot: Self.nothing, processors: 2, type: type)
        #expect(try search.match(launched.measurement())?.differences == ["firmware old, not new"])
        launched.boot = Self.console
        launched.processors = 3
        #expect(
            try search.match(launched.measurement())?.differences
                == ["vcpus 3, not 2", "firmware old, not new", "append long, not short"])
        #expect(try search.match(supposed.measurement())?.differences == [])
    }

    @Test func `a search tries one processor where a firmware has no place for others to begin`() throws {
        var draft = FirmwareDraft.amdSev
        draft.entries.removeAll { $0.guid == FirmwareDraft.resetBlock }
        var launch = SNPLaunch(
            firmware: try Firmware(draft.bytes), boot: Self.nothing, processors: 1, type: try VCPUType(named: "EPYC-v4"))
        let measurement = try launch.measurement()
        launch.processors = 2
        #expect(try LaunchSearch(supposed: launch).match(measurement)?.differences == ["vcpus 1, not 2"])
    }

    @Test func `a search in a firmware that is broken says so`() throws {
        var draft = FirmwareDraft.amdSev
        draft.sections[0].type = 99
        let launch = SNPLaunch(firmware: try Firmware(draft.bytes), processors: 1, type: try VCPUType(named: "EPYC-v4"))
        #expect(throws: MeasurementError.self) { try LaunchSearch(supposed: launch).match([UInt8](repeating: 7, count: 48)) }
    }

    @Test func `a search that nothing fits says so`() throws {
        let search = LaunchSearch(supposed: try Self.launch(Self.rows[0]), processors: 4)
        #expect(try search.match([UInt8](repeating: 7, count: 48)) == nil)
    }

    static func launch(_ row: Row) throws -> SNPLaunch {
        var launch = SNPLaunch(
            firmware: try Firmware(FirmwareDraft.amdSev.bytes), boot: row.boot, processors: row.processors,
            type: try VCPUType(named: "EPYC-v4"))
        launch.profile = try VMMProfile(named: row.profile)
        launch.features = row.features
        launch.firmwareDigest = Hex.decode(
            "086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa16aff8c374c2a55c467a50da6d466b74")
        return launch
    }
}
