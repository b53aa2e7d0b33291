// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// Asks the platform for a report by whichever door the kernel has: configfs-tsm, which serves every TEE, else
/// `/dev/sev-guest`, which kernels before 6.7 have.
public struct PlatformReporter: Sendable {
    private let tsm: TSMReporter
    private let sevGuest: SEVGuest?

    /// `driver`: the only one whose reports are wanted; nil takes whichever is there.
    public init(_ driver: TSMDriver? = nil) {
        self.init(tsm: TSMReporter(driver), sevGuest: driver == .tdxGuest ? nil : SEVGuest())
    }

    package init(tsm: TSMReporter, sevGuest: SEVGuest?) {
        self.tsm = tsm
        self.sevGuest = sevGuest
    }

    /// As ``TSMReporter/requirePlatform()``: throws where neither can answer, with what configfs-tsm said.
    public func requirePlatform() throws(PinError) {
        if device == nil { try tsm.requirePlatform() }
    }

    /// As ``TSMReporter/report(over:privilegeLevel:before:)``.
    public func report(
        over reportData: [UInt8], privilegeLevel: UInt8? = nil, before deadline: Deadline
    ) throws(PinError) -> TSMReport {
        if let device {
            return try device.report(over: reportData, privilegeLevel: privilegeLevel ?? 0, before: deadline)
        }
        return try tsm.report(over: reportData, privilegeLevel: privilegeLevel, before: deadline)
    }

    /// The device, where it is the door: the same driver is behind configfs-tsm where there is one, and is not asked twice.
    private var device: SEVGuest? {
        guard !tsm.isOffered, let sevGuest, (try? sevGuest.requirePlatform()) != nil else { return nil }
        return sevGuest
    }
}
