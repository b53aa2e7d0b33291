// SPDX-License-Identifier: Apache-2.0
import Attestation

/// A revocation list: read, and asked for a serial number.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        guard let list = try? CertificateRevocationList(der: bytes) else { return }
        _ = list.revokes(serial: Array(bytes.prefix(20)))
    }
}
