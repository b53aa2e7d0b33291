// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// The system's clock. In a target of its own, since where SwiftNIO is imported too its C module takes `timespec` for itself.
package enum WallClock {
    /// Since 1970.
    package static func milliseconds() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
