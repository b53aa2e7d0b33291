// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// How many refused requests a minute may write to the audit log. Bad evidence costs its sender nothing, so without a bound
/// whoever reaches the port could fill the disk. What is over it is in the server's own log only.
package final class AuditBudget: Sendable {
    package static let rowsPerMinute = 600

    private let spent = Mutex((minute: Int64(0), rows: 0))

    package init() {}

    /// Whether one more row may be written at `now`, seconds since 1970.
    package func take(at now: Int64) -> Bool {
        spent.withLock { spent in
            if spent.minute != now / 60 { spent = (now / 60, 0) }
            spent.rows += 1
            return spent.rows <= AuditBudget.rowsPerMinute
        }
    }
}
