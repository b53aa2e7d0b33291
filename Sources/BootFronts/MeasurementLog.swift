// SPDX-License-Identifier: Apache-2.0
internal import FileIO
internal import Glibc
internal import PinKit

/// The log of what userspace measured, which systemd keeps: JSON texts (RFC 7464), close to TCG's CEL-JSON. Without it nobody
/// could say how a PCR came to its value.
public struct MeasurementLog: Sendable {
    public static let systemd = "/run/log/systemd/tpm2-measure.log"

    private let path: String

    public init(_ path: String = MeasurementLog.systemd) { self.path = path }

    /// One event: the PCR, and by what each bank was extended.
    public struct Event: Sendable {
        let pcr: Int
        let digests: [(bank: String, digest: [UInt8])]
        let record: String

        public init(pcr: Int, digests: [(bank: String, digest: [UInt8])], record: String) {
            (self.pcr, self.digests, self.record) = (pcr, digests, record)
        }
    }

    /// Lets `extend` extend the PCR and appends the event that it was, with the log locked all the while. The sticky bit says
    /// that an event may be missing: it is set until the event is written.
    public func append<Failure: Error>(_ extend: () throws(Failure) -> Event) throws(Failure) {
        let log = open()
        defer { if log >= 0 { close(log) } }
        var status = stat()
        let wasWhole = unsafe log >= 0 && fstat(log, &status) == 0 && status.st_mode & S_ISVTX == 0
        if log >= 0 { fchmod(log, 0o600 | S_ISVTX) }
        let event = try extend()
        guard log >= 0 else { return }
        let isWritten = (try? FileIO.write(log, "\u{1e}\(json(event).canonical)\n", name: path)) != nil
        if isWritten, wasWhole { fchmod(log, 0o600) }
    }

    /// Locked; -1 where there can be no log, which keeps nothing from being measured.
    private func open() -> Int32 {
        if let slash = path.lastIndex(of: "/") { try? FileIO.makeDirectory(String(path[..<slash])) }
        let log = unsafe Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW, 0o600)
        if log >= 0 { flock(log, LOCK_EX) }
        return log
    }

    private func json(_ event: Event) -> JSON {
        let digests = event.digests.map { one -> JSON in
            ["hashAlg": .string(one.bank), "digest": .string(Hex.encode(one.digest))]
        }
        var now = timespec()
        unsafe clock_gettime(CLOCK_BOOTTIME, &now)
        var content: JSONObject = [
            "string": .string(event.record),
            "timestamp": .integer(Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000),
            "eventType": "volume-key",
        ]
        content["bootId"] = MeasurementLog.bootID.map { .string($0) }
        return [
            "pcr": .integer(Int64(event.pcr)), "digests": .array(digests), "content_type": "systemd",
            "content": .object(content),
        ]
    }

    /// As systemd writes it, without dashes.
    private static var bootID: String? {
        let text = try? FileIO.read("/proc/sys/kernel/random/boot_id", limit: 64)
        return text.map { String(decoding: $0.filter { $0 > 0x20 && $0 != UInt8(ascii: "-") }, as: UTF8.self) }
    }
}
