// SPDX-License-Identifier: Apache-2.0

/// One part of what is measured, for a person to compare with another run's.
public struct LaunchStep: Sendable, Equatable {
    /// `firmware`, `section 2 cpuid`, `processor 0`, `rtmr1 separator`
    public let part: String
    /// Where it stands in the guest's memory; nil for what stands nowhere.
    public let address: UInt64?
    /// Bytes; nil where only a digest is measured.
    public let size: Int?
    /// Of all up to it and with it, where it is a part of a running digest, which has a size; else of it alone.
    public let digest: [UInt8]

    init(part: String, address: UInt64? = nil, size: Int? = nil, digest: [UInt8]) {
        self.part = part
        self.address = address
        self.size = size
        self.digest = digest
    }
}
