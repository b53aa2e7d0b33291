// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// A moment on the monotonic clock after which nobody waits any more.
public struct Deadline: Sendable, Comparable {
    /// Nanoseconds of CLOCK_MONOTONIC.
    package let nanoseconds: UInt64

    public static func after(milliseconds: Int) -> Deadline {
        Deadline(nanoseconds: Deadline.now + UInt64(max(0, milliseconds)) * 1_000_000)
    }

    func later(milliseconds: Int) -> Deadline {
        Deadline(nanoseconds: nanoseconds + UInt64(max(0, milliseconds)) * 1_000_000)
    }

    public static func after(seconds: Int) -> Deadline { after(milliseconds: seconds * 1000) }

    /// 0 when it has passed; capped at a day.
    public var millisecondsLeft: Int {
        let now = Deadline.now
        guard nanoseconds > now else { return 0 }
        return Int(min((nanoseconds - now + 999_999) / 1_000_000, 86_400_000))
    }

    public var hasPassed: Bool { millisecondsLeft == 0 }

    public static func < (left: Deadline, right: Deadline) -> Bool { left.nanoseconds < right.nanoseconds }

    private static var now: UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
