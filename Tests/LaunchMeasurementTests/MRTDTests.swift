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

    @Test func `contents outside of the image are refused`() throws {
        var bytes = Self.image
        bytes.replaceSubrange(16..<20, with: FirmwareDraft.word(4000))
        #expect(throws: MeasurementError.self) { try MRTD(firmware: Firmware(bytes)).measurement() }
    }
}
