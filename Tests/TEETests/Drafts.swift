// SPDX-License-Identifier: Apache-2.0
import TEE

/// An unsigned report of version 3 from a Genoa, all fields zero but those that make it parse.
func draftReport(version: UInt64 = 3, family: UInt64 = 0x19, model: UInt64 = 0x11) -> [UInt8] {
    var report = [UInt8](repeating: 0, count: SNPReport.byteCount)
    SNPField.version.put(version, into: &report)
    SNPField.family.put(family, into: &report)
    SNPField.model.put(model, into: &report)
    return report
}

/// `count` bytes that tell where they came from.
func pattern(_ count: Int, from first: UInt8) -> [UInt8] { (0..<count).map { first &+ UInt8(truncatingIfNeeded: $0) } }
