// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PinKit

/// How a call of the driver ended: errno, and in exitinfo2 what the firmware (low half) and the hypervisor (high half) said.
package struct SEVGuestAnswer: Sendable, Equatable {
    /// 0 where the call succeeded.
    package let code: Int32
    package let exitInformation: UInt64

    package init(code: Int32, exitInformation: UInt64) {
        self.code = code
        self.exitInformation = exitInformation
    }

    private var firmware: UInt32 { UInt32(truncatingIfNeeded: exitInformation) }
    private var hypervisor: UInt32 { UInt32(truncatingIfNeeded: exitInformation >> 32) }

    /// The hypervisor rations requests. Linux asks it again by itself for up to a minute, some versions leave that to us.
    var isBusy: Bool { code == EAGAIN || code == EIO && hypervisor == 2 }

    /// The certificates need more room than the kernel gives them.
    var lacksRoom: Bool { code == EIO && hypervisor == 1 }

    /// For a call that did not succeed.
    func error(_ step: String) -> PinError {
        switch code {
        case EIO where exitInformation == SEVGuestMessage.noExitInformation: break
        case EIO where hypervisor != 0:
            return PinError(.unavailable, step: step, detail: "the hypervisor refused with error \(hypervisor)")
        case EIO where firmware != 0: return Self.error(step, firmware: firmware)
        case ENOTTY:
            return PinError(
                .failed, step: step,
                detail: "the driver has given up its key to the firmware; only a reboot brings it back")
        case EBUSY, EAGAIN, ETIMEDOUT, EINTR:
            return PinError(.unavailable, step: step, detail: "the platform is busy")
        default: break
        }
        return PinError(.failed, step: step, detail: "ioctl: \(unsafe String(cString: strerror(code)))")
    }

    /// A status of the firmware's own, which is in exitinfo2 or in the response.
    static func error(_ step: String, firmware status: UInt32) -> PinError {
        switch status {
        // What was asked for is more than this guest or this platform is: a lower VMPL, a higher SVN or TCB.
        case 0x16: PinError(.refused, step: step, detail: "the firmware refused the parameters (INVALID_PARAM)")
        case 0x27: PinError(.refused, step: step, detail: "the firmware has no such key (INVALID_KEY)")
        default: PinError(.failed, step: step, detail: "the firmware answered 0x\(String(status, radix: 16))")
        }
    }
}
