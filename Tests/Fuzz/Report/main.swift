// SPDX-License-Identifier: Apache-2.0
import TEE

/// A report: whatever parses can be read in every field, and holds the bytes as they came.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        guard let report = try? SNPReport(parsing: bytes) else { return }
        precondition(report.raw == bytes && report.signedBytes.elementsEqual(bytes.prefix(0x2A0)))
        precondition(report.signature.count == 96 && report.measurement.count == 48 && report.chipID.count == 64)
        let numbers = [
            report.guestPolicy.rawValue, report.platformInfo.rawValue, UInt64(report.guestSVN), UInt64(report.vmpl),
            report.launchMitigations ?? 0, report.currentMitigations ?? 0,
        ]
        let texts = [report.currentTCB, report.committedTCB, report.reportedTCB, report.launchTCB].map {
            $0.description(in: report.tcbLayout)
        }
        let firmware = report.committedFirmware <= report.currentFirmware
        _ = (numbers, texts, firmware, report.signingKey, report.masksChipKey, report.hasAuthorKey)
    }
}
