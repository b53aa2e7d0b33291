// SPDX-License-Identifier: Apache-2.0
import Foundation
import LaunchMeasurement
import PinKit
import Testing

/// Builds PE files with sections, as large as they need to be.
struct UKIDraft {
    struct Section {
        var name: String
        var contents: [UInt8]
        /// In memory, where it differs from what the file has.
        var virtualSize: Int?
    }

    var sections: [Section]
    static let headerSize = 0x400

    var bytes: [UInt8] {
        var head = [UInt8](repeating: 0, count: Self.headerSize)
        var body: [UInt8] = []
        head.replaceSubrange(0..<2, with: Array("MZ".utf8))
        Self.set(&head, 0x3c, UInt32(0x80))
        head.replaceSubrange(0x80..<0x84, with: Array("PE".utf8) + [0, 0])
        Self.set(&head, 0x86, UInt16(sections.count))
        Self.set(&head, 0x94, UInt16(240))
        for (index, section) in sections.enumerated() {
            let at = 0x80 + 24 + 240 + 40 * index
            let padded = section.contents + [UInt8](repeating: 0, count: -section.contents.count & 0x1ff)
            head.replaceSubrange(at..<at + section.name.utf8.count, with: Array(section.name.utf8))
            Self.set(&head, at + 8, UInt32(section.virtualSize ?? section.contents.count))
            Self.set(&head, at + 16, UInt32(padded.count))
            Self.set(&head, at + 20, UInt32(Self.headerSize + body.count))
            body += padded
        }
        return head + body
    }

    static func set(_ bytes: inout [UInt8], _ at: Int, _ value: some FixedWidthInteger) {
        for index in 0..<value.bitWidth / 8 { bytes[at + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
    }

    static var usual: UKIDraft {
        UKIDraft(sections: [
            Section(name: ".osrel", contents: Array("ID=test".utf8)),
            Section(name: ".cmdline", contents: Array("console=ttyS0 quiet\n\0".utf8)),
            Section(name: ".linux", contents: [UInt8](repeating: 7, count: 300_001)),
            Section(name: ".initrd", contents: [UInt8](repeating: 9, count: 1_000_003)),
        ])
    }
}

@Suite final class UKITests {
    let file = FileManager.default.temporaryDirectory.appending(path: "cvm-uki-\(UUID().uuidString)").path

    deinit { try? FileManager.default.removeItem(atPath: file) }

    @Test func `it says where its initrd is`() throws {
        let bytes = UKIDraft.usual.bytes
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        let place = try #require(try BootFiles(uki: file).initrdBytes)
        #expect(place.count == 1_000_003 && bytes[place].allSatisfy { $0 == 9 })
    }

    func boot(_ bytes: [UInt8]) throws -> DirectBoot {
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        return try DirectBoot(BootFiles(uki: file))
    }

    func problem(_ bytes: [UInt8]) throws -> String {
        try #require(throws: MeasurementError.self) { try self.boot(bytes) }.problem
    }

    @Test func `a UKI boots as its parts do, without the padding of sections`() throws {
        let apart = DirectBoot(
            kernel: Digest.sha256([UInt8](repeating: 7, count: 300_001)),
            initrd: Digest.sha256([UInt8](repeating: 9, count: 1_000_003)), commandLine: "console=ttyS0 quiet")
        #expect(try boot(UKIDraft.usual.bytes) == apart)
    }

    @Test func `initrd and command line may be missing, the kernel may not`() throws {
        var draft = UKIDraft.usual
        draft.sections.removeAll { $0.name != ".linux" }
        #expect(try boot(draft.bytes) == DirectBoot(kernel: Digest.sha256([UInt8](repeating: 7, count: 300_001))))
        draft.sections[0].name = ".text"
        #expect(try problem(draft.bytes) == "it has no section .linux, so it is no unified kernel image")
    }

    @Test(arguments: [".linux", ".initrd", ".cmdline"]) func `two sections of one name are refused`(name: String) throws {
        var draft = UKIDraft.usual
        draft.sections.append(UKIDraft.Section(name: name, contents: [1]))
        #expect(try problem(draft.bytes).hasPrefix("it has several sections \(name)"))
    }

    @Test func `a section that the file has only a part of is refused`() throws {
        var draft = UKIDraft.usual
        draft.sections[2].virtualSize = 400_000
        #expect(try problem(draft.bytes) == "its section .linux is larger than what the file has of it")
    }

    @Test(arguments: [[0x61, 0, 0x62], [0xff, 0xfe]] as [[UInt8]])
    func `a command line that is no text is refused`(text: [UInt8]) throws {
        var draft = UKIDraft.usual
        draft.sections[1].contents = text
        #expect(try problem(draft.bytes) == "its section .cmdline is not a line of text")
    }

    @Test func `a command line of any size is not held`() throws {
        var draft = UKIDraft.usual
        draft.sections[1].contents = [UInt8](repeating: 0x61, count: (64 << 10) + 1)
        #expect(try problem(draft.bytes).hasSuffix("is larger than the 65536 allowed"))
    }

    @Test func `a file that ends anywhere is an error and not a trap`() throws {
        let whole = UKIDraft.usual.bytes
        for count in Array(0..<0x300) + [0x3ff, 0x400, 0x401, whole.count - 1] {
            #expect(throws: MeasurementError.self, "\(count) bytes") { try self.boot(Array(whole.prefix(count))) }
        }
    }

    @Test func `a kernel with any header is measured for TDX or refused, and nothing traps`() throws {
        var whole = UKIDraft.usual.bytes
        let optional = 0x98
        for (at, value) in [(optional, UInt32(0x20b)), (optional + 60, 0x400), (optional + 108, 16)] {
            UKIDraft.set(&whole, at, value)
        }
        func measure(_ bytes: [UInt8]) throws -> DirectBootRegisters {
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            return try DirectBootRegisters(BootFiles(kernel: file, initrd: nil, commandLine: ""))
        }
        let usual = try measure(whole)
        var other = whole
        UKIDraft.set(&other, optional + 64, UInt32(7))
        #expect(try measure(other).rtmr1 == usual.rtmr1, "the checksum is not covered")
        other[0x400] ^= 1
        #expect(try measure(other).rtmr1 != usual.rtmr1)
        let fields = [0x3c, 0x84, 0x86, 0x94, optional + 60, optional + 108, optional + 144, optional + 148, 0x198, 0x19c]
        for offset in [optional] + fields {
            for value: UInt32 in [0, 1, 0x1ff, 0x7fff_ffff, 0xffff_ffff, 0x0001_0000, 0x10b, 0x20b] {
                var changed = whole
                UKIDraft.set(&changed, offset, value)
                _ = try? measure(changed)
            }
        }
        #expect(throws: MeasurementError.self) { try measure([UInt8](repeating: 1, count: 4096)) }
    }

    @Test func `any field with any value is an error or another file, and not a trap`() throws {
        let whole = UKIDraft.usual.bytes
        for offset in [0x3c, 0x84, 0x86, 0x94] + Array(stride(from: 0x188, to: 0x188 + 160, by: 4)) {
            for value: UInt32 in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x0001_0000, 0x60] {
                var changed = whole
                UKIDraft.set(&changed, offset, value)
                _ = try? boot(changed)
            }
        }
        #expect(try boot(whole).kernel.count == 32)
    }
}
