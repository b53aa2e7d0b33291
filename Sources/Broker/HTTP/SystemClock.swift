// SPDX-License-Identifier: Apache-2.0
internal import SystemTime

/// Seconds since 1970 on the system's clock.
@Sendable public func systemSeconds() -> Int64 { WallClock.milliseconds() / 1000 }
