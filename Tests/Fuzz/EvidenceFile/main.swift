// SPDX-License-Identifier: Apache-2.0
import Attestation
import TEE

/// A file of evidence in any of its forms: what is read ends in bytes that the format's own parser takes or refuses.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        guard let file = try? EvidenceFile(parsing: bytes) else { return }
        switch file.evidence {
        case .snp(let report, _): _ = try? SNPReport(parsing: report)
        case .tdx(let quote, let eventLog): _ = (try? TDXQuote(parsing: quote), try? EventLog(parsing: eventLog))
        }
    }
}
