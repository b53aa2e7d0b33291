// SPDX-License-Identifier: Apache-2.0
import TEE

/// A certificate table: what parses is no larger than what came, and is the same after writing and reading it again.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        guard let table = try? SNPCertificateTable(parsing: bytes) else { return }
        precondition(table.entries.count <= SNPCertificateTable.maximumEntryCount)
        precondition(table.entries.allSatisfy { $0.bytes.count <= bytes.count })
        // Entries may share bytes, so that the table written without sharing may be too large to be read.
        guard table.encoded.count <= SNPCertificateTable.maximumByteCount else { return }
        guard let again = try? SNPCertificateTable(parsing: table.encoded) else { fatalError("not read again") }
        precondition(again == table)
    }
}
