// SPDX-License-Identifier: Apache-2.0
import FileIO
import Glibc
import PinKit
import TEE
import Testing

@Suite struct CCELTests {
    private let log = EventLog(
        events: (0..<4).map { rtmr in
            EventLog.Event(
                rtmr: rtmr, type: .noAction, digest: pattern(48, from: UInt8(rtmr)), data: [0xff, 0xff, 0xff, 0xff])
        }
    ).encoded

    @Test(arguments: [0, 1, 4, 5000]) func `padding of ones is left out`(count: Int) throws {
        #expect(try EventLog.trimming(log + [UInt8](repeating: 0xff, count: 4 * count)) == log)
    }

    @Test(arguments: [12, 13, 5000]) func `padding of zeros is left out`(count: Int) throws {
        #expect(try EventLog.trimming(log + [UInt8](repeating: 0, count: count)) == log)
    }

    @Test func `a log that is cut off is none`() throws {
        try withFile(Array(log.dropLast())) { path in #expect(CCEL(path: path).read() == nil) }
    }

    @Test func `the area is read without its padding`() throws {
        try withFile(log + [UInt8](repeating: 0xff, count: 65_536)) { path in #expect(CCEL(path: path).read() == log) }
    }

    @Test func `an area that is too large, and none at all, give no log`() throws {
        try withFile(log + [UInt8](repeating: 0xff, count: EventLog.maximumByteCount)) { path in
            #expect(CCEL(path: path).read() == nil)
        }
        #expect(CCEL(path: "/nonexistent/CCEL").read() == nil)
    }

    private func withFile(_ content: [UInt8], _ body: (String) throws -> Void) throws {
        let path = "/tmp/cvm-clevis-ccel-\(Hex.encode(try Random.bytes(8)))"
        try FileIO.create(path, content)
        defer { _ = unsafe unlink(path) }
        try body(path)
    }
}
