// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// RTMR3 of a TDX guest, which nothing of a boot uses: what the guest itself measures (Linux 6.16 and later;
/// Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest).
public struct RuntimeRegister: Sendable {
    /// Bytes of what it is extended by: SHA-384.
    public static let digestSize = 48

    private let path: String

    public init() { self.init(root: "/sys/devices/virtual/misc/tdx_guest/measurements") }

    /// The one seam for tests.
    package init(root: String) { path = "\(root)/rtmr3:sha384" }

    /// Whether this is a TDX guest whose kernel lets RTMRs be extended.
    public var isOffered: Bool { ConfigFS.exists(path) }

    /// Extends it by `digest`, of ``digestSize`` bytes.
    public func extend(by digest: [UInt8]) throws(PinError) {
        let step = "extend RTMR3"
        guard digest.count == Self.digestSize else {
            throw PinError(.malformed, step: step, detail: "a digest has \(Self.digestSize) bytes, not \(digest.count)")
        }
        do throws(ConfigFS.Failure) {
            try ConfigFS.write(digest, to: path)
        } catch {
            throw PinError(.failed, step: step, detail: error.description)
        }
    }
}
