// SPDX-License-Identifier: Apache-2.0
import EvidenceVectors
import PinKit
import TEE
import Testing

private func event(_ rtmr: Int, _ type: String, _ data: String) -> EventLog.Event {
    EventLog.Event(
        rtmr: rtmr, type: EventType(name: type)!, digest: Digest.sha384(Array(data.utf8)), data: Array(data.utf8))
}

private let events = [event(0, "EV_SEPARATOR", "one"), event(3, "EV_IPL", ""), event(0, "EV_EFI_ACTION", "three")]

/// A raw event for register `index` with digests of the algorithms given.
private func raw(_ index: UInt32, type: UInt32, digests: [(UInt8, Int)], data: [UInt8]) -> [UInt8] {
    var event = bytes(of: index) + bytes(of: type) + bytes(of: UInt32(digests.count))
    for (algorithm, count) in digests { event += [algorithm, 0] + pattern(count, from: algorithm) }
    return event + bytes(of: UInt32(data.count)) + data
}

private func bytes(of value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

/// A header that names SHA-256 and SHA-384.
private let header: [UInt8] = {
    var header: [UInt8] = [1, 0, 0, 0, 3, 0, 0, 0]
    header += [UInt8](repeating: 0, count: 20)
    header += [37, 0, 0, 0]
    header += Array("Spec ID Event03\0".utf8)
    header += [0, 0, 0, 0, 0, 2, 0, 2]
    header += [2, 0, 0, 0, 0x0b, 0, 32, 0, 0x0c, 0, 48, 0, 0]
    return header
}()

@Suite struct EventLogTests {
    @Test func `a log is read as it was written, with whatever ends it`() throws {
        let bytes = EventLog(events: events).encoded
        for end in [[], [0], [UInt8](repeating: 0, count: 5000), [0xff, 0xff, 0xff, 0xff, 1, 2, 3]] {
            #expect(try EventLog(parsing: bytes + end).events == events)
        }
        #expect(try EventLog(parsing: header).events.isEmpty)
    }

    @Test func `registers are extended in order`() {
        let zero = [UInt8](repeating: 0, count: 48)
        let first = Digest.sha384(zero + Digest.sha384(Array("one".utf8)))
        let third = Digest.sha384(first + Digest.sha384(Array("three".utf8)))
        let last = Digest.sha384(zero + Digest.sha384([]))
        #expect(EventLog(events: events).replay == [third, zero, zero, last])
    }

    @Test func `of several digests the SHA-384 one counts, and what is not extended is left out`() throws {
        let log = try EventLog(
            parsing: header + raw(2, type: 13, digests: [(0x0b, 32), (0x0c, 48)], data: [1, 2])
                + raw(2, type: 3, digests: [(0x0c, 48)], data: [3]) + raw(0, type: 13, digests: [(0x0c, 48)], data: []))
        #expect(log.events.count == 1 && log.events[0].rtmr == 1 && log.events[0].type.name == "EV_IPL")
        #expect(log.events[0].digest == pattern(48, from: 0x0c) && log.events[0].data == [1, 2])
        #expect(!log.events[0].dataIsMeasured && events[0].dataIsMeasured)
    }

    @Test func `a log that is not as specified is malformed`() {
        let good = raw(1, type: 13, digests: [(0x0c, 48)], data: [1])
        var twice = header
        twice[60] = 0x0c
        var noSHA384 = header
        noSHA384[64] = 0x0d
        var otherSize = header
        otherSize[66] = 32
        var many = header
        many[57] = 1
        var otherSignature = header
        otherSignature[32] ^= 1
        let logs: [[UInt8]] = [
            [], [0], Array(good), twice, noSHA384, otherSize, many, otherSignature,
            header + raw(5, type: 13, digests: [(0x0c, 48)], data: []), header + raw(1, type: 13, digests: [], data: []),
            header + raw(1, type: 13, digests: [(0x0b, 32)], data: []),
            header + raw(1, type: 13, digests: [(0x0c, 48), (0x0c, 48)], data: []),
            header + raw(1, type: 13, digests: [(0x0d, 48)], data: []), header + [UInt8](repeating: 0, count: 12) + good,
            [UInt8](repeating: 0, count: EventLog.maximumByteCount + 1),
        ]
        for (index, log) in logs.enumerated() {
            #expect(throws: EvidenceError(.malformed), "log \(index)") { try EventLog(parsing: log) }
        }
    }

    @Test func `a log cut inside an event is malformed`() {
        let bytes = EventLog(events: [events[0]]).encoded
        let header = EventLog(events: []).encoded
        for count in bytes.indices where count != header.count {
            #expect(throws: EvidenceError(.malformed), "\(count)") { try EventLog(parsing: Array(bytes.prefix(count))) }
        }
    }

    @Test func `types have their specification's names, and others their number`() {
        for known in EventType.known { #expect(EventType(name: known.name)?.name == known.name) }
        #expect(EventType(rawValue: 0x8000_0003).name == "EV_EFI_BOOT_SERVICES_APPLICATION")
        #expect(EventType(rawValue: 0x1234).name == "0x1234" && EventType(name: "0x1234") == nil)
    }

    @Test(.enabled(if: Vectors.present, "\(Vectors.missing)"))
    func `a real log gives the registers of its quote`() throws {
        let log = try EventLog(parsing: Vectors.read("tdx/v4-00806f05-gcp-cos113/ccel.bin"))
        let quote = try TDXQuote(parsing: Vectors.read("tdx/v4-00806f05-gcp-cos113/quote.bin"))
        #expect(log.replay == quote.report.rtmrs)
        #expect(log.events.contains { $0.dataIsMeasured } && log.events.allSatisfy { !$0.type.name.hasPrefix("0x") })
    }
}
