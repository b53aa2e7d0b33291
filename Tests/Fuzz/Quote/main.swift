// SPDX-License-Identifier: Apache-2.0
import TEE

/// A TDX quote: what parses is a prefix of what came, is the same without its padding, and can be read in every field.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        guard let quote = try? TDXQuote(parsing: bytes) else { return }
        precondition(bytes.starts(with: quote.raw) && quote.raw.starts(with: quote.signedBytes))
        guard let again = try? TDXQuote(parsing: quote.raw) else { fatalError("not read again") }
        precondition(again == quote)
        precondition(TDXQuote.encode(signed: quote.signedBytes, signature: quote.signature) == quote.raw)
        let report = quote.report
        precondition(report.mrTD.count == 48 && report.rtmrs.count == 4 && report.reportData.count == 64)
        _ = (report.attributes, report.xfam, report.mrServiceTD, report.teeTCB2, quote.signature.qeReport.svn)
    }
}
