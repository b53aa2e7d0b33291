// SPDX-License-Identifier: Apache-2.0
import Attestation
import PinKit

/// A policy, for either TEE: what is read can be written and read again, to the same policy.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    unsafe Harness.run(start, count) { bytes in
        guard let json = try? JSON(parsing: bytes) else { return }
        if let policy = try? SNPPolicy(json: json) {
            guard let again = try? SNPPolicy(json: policy.json) else { fatalError("not read again") }
            precondition(again == policy)
        }
        if let policy = try? TDXPolicy(json: json) {
            guard let again = try? TDXPolicy(json: policy.json) else { fatalError("not read again") }
            precondition(again == policy)
        }
    }
}
