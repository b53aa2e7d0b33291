// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Seconds since 1970 on the system's clock.
@Sendable public func systemSeconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec)
}
