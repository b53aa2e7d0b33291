// SPDX-License-Identifier: Apache-2.0
import TEE

/// An event log: what parses is no larger than what came, and is the same after writing and reading it again. The replay is
/// left out: it is one hash for each event, and only burns time.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        guard let log = try? EventLog(parsing: bytes) else { return }
        precondition(log.events.reduce(0) { $0 + $1.data.count } <= bytes.count)
        precondition(log.events.allSatisfy { $0.digest.count == 48 && (0..<4).contains($0.rtmr) })
        guard let again = try? EventLog(parsing: log.encoded) else { fatalError("not read again") }
        precondition(again == log)
    }
}
