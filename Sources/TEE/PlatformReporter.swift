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
    public func requirePlatform() throws(PinError) { _ = try door() }

    /// As ``TSMReporter/report(over:privilegeLevel:before:)``.
    public func report(
        over reportData: [UInt8], privilegeLevel: UInt8? = nil, before deadline: Deadline
    ) throws(PinError) -> TSMReport {
        switch try door() {
        case .tsm: try tsm.report(over: reportData, privilegeLevel: privilegeLevel, before: deadline)
        case .sevGuest(let sevGuest):
            try sevGuest.report(over: reportData, privilegeLevel: privilegeLevel ?? 0, before: deadline)
        }
    }

    private enum Door { case tsm, sevGuest(SEVGuest) }

    /// The driver of one that is there and fails is the driver of the other: it is not asked twice.
    private func door() throws(PinError) -> Door {
        do throws(PinError) {
            try tsm.requirePlatform()
            return .tsm
        } catch {
            guard error == PinError(.unavailable), let sevGuest, (try? sevGuest.requirePlatform()) != nil else {
                throw error
            }
            return .sevGuest(sevGuest)
        }
    }
}
