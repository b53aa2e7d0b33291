// SPDX-License-Identifier: Apache-2.0
import LaunchMeasurement
import PinKit
import Testing

/// Against the records of the TDX module's specification, written out here.
@Suite struct MRTDTests {
    static let metadata = FirmwareDraft.guid("e47a6535984a4798865e4685a7bf8ec2")

    /// One page with 300 bytes of contents, measured; one page that is only added; one that the guest adds later.
    static var image: [UInt8] {
        let list: [UInt8] =
            section(offset: 1000, stored: 300, address: 0xffff_f000, attributes: 1)
            + section(offset: 0, stored: 0, address: 0x80_0000, attributes: 0)
            + section(offset: 0, stored: 0, address: 0x90_0000, attributes: 2)
        var draft = FirmwareDraft()
        draft.entries = [(metadata, FirmwareDraft.word(UInt32(draft.size)))]
        let head = Array("TDVF".utf8) + FirmwareDraft.word(UInt32(16 + list.count)) + FirmwareDraft.word(1)
        var bytes = draft.bytes
        bytes.replaceSubrange(0..<16 + list.count, with: head + FirmwareDraft.word(3) + list)
        bytes.replaceSubrange(1000..<1300, with: [UInt8](repeating: 0xab, count: 300))
        return bytes
    }

    static func section(offset: UInt32, stored: UInt32, address: UInt32, attributes: UInt32) -> [UInt8] {
        [offset, stored, address, 0, 4096, 0, 0, attributes].flatMap(FirmwareDraft.word)
    }

    static func record(_ operation: String, _ address: UInt32) -> [UInt8] {
        let name = Array(operation.utf8)
        let head = name + [UInt8](repeating: 0, count: 16 - name.count) + FirmwareDraft.word(address)
        return head + [UInt8](repeating: 0, count: 128 - head.count)
    }

    @Test func `pages are added, and contents follow in pieces of 256 bytes`() throws {
        let contents = [UInt8](repeating: 0xab, count: 300) + [UInt8](repeating: 0, count: 3796)
        var message = Self.record("MEM.PAGE.ADD", 0xffff_f000)
        for start in stride(from: 0, to: 4096, by: 256) {
            message += Self.record("MR.EXTEND", 0xffff_f000 + UInt32(start)) + contents[start..<start + 256]
        }
        message += Self.record("MEM.PAGE.ADD", 0x80_0000)
        #expect(try MRTD(firmware: Firmware(Self.image)).measurement() == Digest.sha384(message))
    }

    @Test(arguments: [false, true]) func `each page of a section has its own address`(addsPagesFirst: Bool) throws {
        var draft = FirmwareDraft()
        draft.size = 40 * 4096
        draft.entries = [(Self.metadata, FirmwareDraft.word(UInt32(draft.size)))]
        let size = UInt32(37 * 4096)
        let list = [4096, size, 0xfffd_0000, 0, size + 8192, 0, 0, 1].flatMap(FirmwareDraft.word)
        var bytes = draft.bytes
        let head = Array("TDVF".utf8) + [48, 1, 1].flatMap(FirmwareDraft.word)
        bytes.replaceSubrange(0..<48, with: head + list)
        for page in 1..<38 { bytes[page * 4096] = UInt8(page) }
        let contents = Array(bytes[4096...].prefix(Int(size))) + [UInt8](repeating: 0, count: 8192)
        var (adds, extends): ([[UInt8]], [[UInt8]]) = ([], [])
        for page in stride(from: 0, to: contents.count, by: 4096) {
            adds.append(Self.record("MEM.PAGE.ADD", 0xfffd_0000 + UInt32(page)))
            extends.append(
                stride(from: page, to: page + 4096, by: 256).flatMap { start in
                    Self.record("MR.EXTEND", 0xfffd_0000 + UInt32(start)) + contents[start..<start + 256]
                })
        }
        let message = addsPagesFirst ? (adds + extends).flatMap { $0 } : zip(adds, extends).flatMap { $0 + $1 }
        let measured = MRTD(firmware: try Firmware(bytes), addsPagesFirst: addsPagesFirst)
        #expect(try measured.measurement() == Digest.sha384(message))
    }

    @Test func `its steps are its sections, and the last has the measurement`() throws {
        let measured = MRTD(firmware: try Firmware(Self.image))
        let steps = try measured.steps()
        #expect(steps.map(\.part) == ["mrtd section 0", "mrtd section 1, its place"])
        #expect(steps.map(\.address) == [0xffff_f000, 0x80_0000] && steps.map(\.size) == [4096, 4096])
        #expect(try steps.last?.digest == measured.measurement() && steps[0].digest != steps[1].digest)
    }

    @Test func `contents outside of the image are refused`() throws {
        var bytes = Self.image
        bytes.replaceSubrange(16..<20, with: FirmwareDraft.word(4000))
        #expect(throws: MeasurementError.self) { try MRTD(firmware: Firmware(bytes)).measurement() }
    }
}
