// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PinKit
internal import Synchronization

/// Connections that were begun ahead, or left over, each for the next client of the same server, which must come soon.
enum BegunConnections {
    private static let waiting = Mutex<[Connection]>([])
    private static let maximumCount = 8
    /// Microseconds after which they are closed: a server has work with each.
    private static let maximumWait: UInt32 = 1_000_000

    static func take(to peer: Peer) -> Connection? {
        waiting.withLock { waiting in
            waiting.firstIndex { $0.peer == peer }.map { waiting.remove(at: $0) }
        }
    }

    static func keep(_ connection: Connection) {
        let isKept = waiting.withLock { waiting in
            guard waiting.count < maximumCount else { return false }
            waiting.append(connection)
            return true
        }
        guard isKept else { return }
        let isEnding = startWorker {
            usleep(maximumWait)
            drop(connection)
        }
        if !isEnding { drop(connection) }
    }

    private static func drop(_ connection: Connection) { waiting.withLock { $0.removeAll { $0 === connection } } }
}
