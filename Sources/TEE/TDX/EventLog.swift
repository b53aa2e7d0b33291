// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// The log of what a TDX guest's firmware and boot loader extended into its RTMRs (ACPI table CCEL; TCG PC Client Platform
/// Firmware Profile, "crypto agile" format; UEFI "Confidential Computing Event Log").
///
/// The host can write it. It says something only when ``replay`` gives the RTMRs of a genuine quote, and then only of
/// measured events, so that others are not kept.
public struct EventLog: Sendable, Equatable {
    public struct Event: Sendable, Equatable {
        /// 0 to 3.
        public let rtmr: Int
        public let type: EventType
        /// SHA-384.
        public let digest: [UInt8]
        /// What the digest is said to be of; ``dataIsMeasured`` says whether it is.
        public let data: [UInt8]

        /// Whether the digest is simply that of the data. Where it is not, the digest is of something that the data only
        /// describes.
        public var dataIsMeasured: Bool { Digest.sha384(data) == digest }

        package init(rtmr: Int, type: EventType, digest: [UInt8], data: [UInt8]) {
            self.rtmr = rtmr
            self.type = type
            self.digest = digest
            self.data = data
        }
    }

    /// A whole CCEL area has 64 to 256 KiB, mostly padding.
    public static let maximumByteCount = 1 << 20
    public static let registerCount = 4

    /// Measured events in the order in which they were extended.
    public let events: [Event]

    package init(events: [Event]) { self.events = events }

    /// The four RTMRs after these events, each 48 bytes.
    public var replay: [[UInt8]] {
        var registers = [[UInt8]](repeating: [UInt8](repeating: 0, count: 48), count: Self.registerCount)
        for event in events { registers[event.rtmr] = Digest.sha384(registers[event.rtmr] + event.digest) }
        return registers
    }
}

// MARK: - Format

extension EventLog {
    private static let sha384: UInt16 = 0x000c
    private static let signature = Array("Spec ID Event03\0".utf8)
    private static let maximumAlgorithmCount: UInt32 = 16

    /// Throws `.malformed` for a log without the header of the crypto agile format or without SHA-384, for a register that a
    /// guest does not have, and for an event that is cut off. Ends at an index of all ones, at zero padding, or with the bytes.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        guard bytes.count <= Self.maximumByteCount else { throw Self.malformed("\(bytes.count) bytes are too many") }
        var reader = ByteReader(bytes)
        let sizes = try Self.digestSizes(&reader)
        var events: [Event] = []
        while let event = try Self.next(&reader, sizes) {
            if let event = event.measured { events.append(event) }
        }
        self.init(events: events)
    }

    /// The log that begins `bytes`, without what pads the area it stands in. Throws as ``init(parsing:)`` does.
    public static func trimming(_ bytes: [UInt8]) throws(EvidenceError) -> [UInt8] {
        guard bytes.count <= maximumByteCount else { throw malformed("\(bytes.count) bytes are too many") }
        var reader = ByteReader(bytes)
        let sizes = try digestSizes(&reader)
        var end = reader.position
        while try next(&reader, sizes) != nil { end = reader.position }
        return Array(bytes.prefix(end))
    }

    private struct DigestSize {
        let algorithm: UInt16
        let count: Int
    }

    /// What the first event, which is in the old format, says of the others.
    private static func digestSizes(_ reader: inout ByteReader) throws(EvidenceError) -> [DigestSize] {
        guard reader.uint32() != nil, reader.uint32() == EventType.noAction.rawValue, reader.bytes(20) != nil,
            let size = reader.uint32(), let data = reader.bytes(Int(size)), data.starts(with: signature)
        else { throw malformed("it does not begin with a Spec ID Event03") }
        var header = ByteReader(data, at: 24)
        guard let count = header.uint32(), count <= maximumAlgorithmCount else {
            throw malformed("its header names no algorithms or too many")
        }
        var sizes: [DigestSize] = []
        for _ in 0..<count {
            guard let algorithm = header.uint16(), let size = header.uint16(),
                !sizes.contains(where: { $0.algorithm == algorithm })
            else { throw malformed("its header is cut off or names an algorithm twice") }
            sizes.append(DigestSize(algorithm: algorithm, count: Int(size)))
        }
        guard sizes.contains(where: { $0.algorithm == sha384 && $0.count == 48 }) else {
            throw malformed("it has no SHA-384")
        }
        return sizes
    }

    private struct Entry {
        let measured: Event?
    }

    /// nil at the end.
    private static func next(_ reader: inout ByteReader, _ sizes: [DigestSize]) throws(EvidenceError) -> Entry? {
        let start = reader.position
        guard !reader.rest.prefix(12).allSatisfy({ $0 == 0 }) else {
            guard reader.rest.allSatisfy({ $0 == 0 }) else { throw malformed("something follows the zeros at \(start)") }
            return nil
        }
        guard let register = reader.uint32() else { throw malformed("the event at \(start) is cut off") }
        guard register != .max else { return nil }
        guard let type = reader.uint32().map(EventType.init), let digest = digest(&reader, sizes),
            let size = reader.uint32(), let data = reader.bytes(Int(size))
        else { throw malformed("the event at \(start) is cut off or has no SHA-384 digest") }
        guard register <= registerCount else { throw malformed("the event at \(start) is for register \(register)") }
        // Register 0 is MRTD, which the TDX module measures; what firmware logs for it, it did not extend.
        guard type != .noAction, register > 0 else { return Entry(measured: nil) }
        return Entry(measured: Event(rtmr: Int(register) - 1, type: type, digest: digest, data: data))
    }

    private static func digest(_ reader: inout ByteReader, _ sizes: [DigestSize]) -> [UInt8]? {
        guard let count = reader.uint32(), count <= maximumAlgorithmCount else { return nil }
        var digest: [UInt8]?
        for _ in 0..<count {
            guard let algorithm = reader.uint16(), let size = sizes.first(where: { $0.algorithm == algorithm }),
                let bytes = reader.bytes(size.count)
            else { return nil }
            if algorithm == sha384 {
                guard digest == nil else { return nil }
                digest = bytes
            }
        }
        return digest
    }

    private static func malformed(_ detail: String) -> EvidenceError {
        EvidenceError(.malformed, step: "event log", detail: detail)
    }

    /// The log with SHA-384 only, unpadded, for whoever makes logs.
    package var encoded: [UInt8] {
        let version: [UInt8] = [0, 0, 0, 0, 0, 2, 0, 2]
        let algorithms = littleEndian(UInt32(1)) + littleEndian(Self.sha384) + [48, 0]
        let header = Self.signature + version + algorithms + [0]
        var bytes =
            littleEndian(UInt32(1)) + littleEndian(EventType.noAction.rawValue) + [UInt8](repeating: 0, count: 20)
            + littleEndian(UInt32(header.count)) + header
        for event in events {
            bytes += littleEndian(UInt32(event.rtmr + 1)) + littleEndian(event.type.rawValue) + littleEndian(UInt32(1))
            bytes += littleEndian(Self.sha384) + event.digest + littleEndian(UInt32(event.data.count)) + event.data
        }
        return bytes
    }
}
