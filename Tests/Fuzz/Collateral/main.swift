// SPDX-License-Identifier: Apache-2.0
import Attestation
import TEE

/// What Intel's service answers: the signed member is cut out of either kind of answer and read.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        if let signed = try? SignedJSON(bytes, member: "tcbInfo", step: "TCB info") { _ = try? TCBInfo(signed) }
        if let signed = try? SignedJSON(bytes, member: "enclaveIdentity", step: "QE identity") {
            _ = try? QEIdentity(signed)
        }
    }
}
