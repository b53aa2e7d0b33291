// SPDX-License-Identifier: Apache-2.0
import Attestation
import TEE

/// A certificate with AMD's extensions or Intel's: read, and asked what it endorses, in either layout of AMD's.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        guard let certificate = try? Certificate(der: bytes) else { return }
        if let identity = try? PCKIdentity(certificate) {
            precondition(identity.components.count == 16 && identity.fmspc.count == 6)
        }
        for layout in [TCBLayout.milan, .turin] {
            guard let identity = try? EndorsedIdentity(certificate, layout: layout) else { continue }
            precondition(identity.tcb.bytes.count == 8)
            precondition([nil, 8, 64].contains(identity.hardwareID?.count))
        }
    }
}
