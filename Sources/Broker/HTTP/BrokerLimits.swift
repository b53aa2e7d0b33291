// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// What one broker takes on at a time. How long a message may be, and what it may hold, is BrokerProtocol's.
public struct BrokerLimits: Sendable, Equatable {
    /// Open connections; more are closed as they come.
    public var connections = 4096
    /// Open connections of one client; 0 where there is no limit.
    public var connectionsPerClient = 512
    /// Requests a second of one client, ten times as many at once; 0 where there is no limit.
    public var requestsPerSecond = 100
    /// Requests that are being decided or wait for a thread; more are told to come back.
    public var deciding = 8192
    /// Bytes of their bodies, which lie in memory in several forms meanwhile.
    public var decidingBytes = 64 << 20
    /// Seconds after which a connection without a request is closed.
    static let idleSeconds: Int64 = 30

    public init() {}

    /// Descriptors for everything that is no connection.
    private static let spareFiles = 128

    /// Asks the system for as many open files as these limits take, and returns how many connections it allows.
    func reserveFiles() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return connections }
        let wanted = rlim_t(connections + Self.spareFiles)
        if limit.rlim_cur < wanted {
            limit.rlim_cur = min(wanted, limit.rlim_max)
            _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        return min(connections, max(16, Int(clamping: limit.rlim_cur) - Self.spareFiles))
    }
}
