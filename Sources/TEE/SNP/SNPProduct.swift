// SPDX-License-Identifier: Apache-2.0

/// An AMD processor generation as far as SEV-SNP tells them apart: its certificate chain and the layout of its TCB_VERSION.
/// The raw value is its name in policies.
public enum SNPProduct: String, Sendable, CaseIterable {
    case milan
    /// Genoa, Bergamo and Siena.
    case genoa
    case turin
    case venice

    /// From the combined CPUID family and model of a report of version 3 or later; nil for one not known here.
    public init?(family: UInt8, model: UInt8) {
        switch (family, model) {
        case (0x19, 0x00...0x0F): self = .milan
        case (0x19, 0x10...0x1F), (0x19, 0xA0...0xAF): self = .genoa
        case (0x1A, 0x00...0x11): self = .turin
        case (0x1A, 0x50...0x57), (0x1A, 0x90...0xAF), (0x1A, 0xC0...0xC7): self = .venice
        default: return nil
        }
    }

    /// As AMD writes it in certificates: `Milan` in `ARK-Milan`.
    public var certificateName: String {
        switch self {
        case .milan: "Milan"
        case .genoa: "Genoa"
        case .turin: "Turin"
        case .venice: "Venice"
        }
    }

    public var tcbLayout: TCBLayout {
        switch self {
        case .milan, .genoa: .milan
        case .turin, .venice: .turin
        }
    }

    /// Bytes of CHIP_ID that hold the identity; the rest of its 64 are zero.
    public var chipIDCount: Int { tcbLayout == .milan ? 64 : 8 }
}
