// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// When a server may be asked again: after what it says (`Retry-After`), else after 1 s, 2 s, 4 s… as it keeps failing.
final class BackOff: Sendable {
    /// Longest pause, whatever a server says.
    static let maximumPause = 300

    private struct State {
        var until = ContinuousClock.now
        var failures = 0
    }

    private let state = Mutex(State())

    var isResting: Bool { state.withLock { $0.until > .now } }

    func succeeded() { state.withLock { $0.failures = 0 } }

    /// `seconds`: what the server asked for, if it did.
    func rest(seconds: Int?) {
        state.withLock { state in
            let pause = max(1, min(seconds ?? 1 << min(state.failures, 8), BackOff.maximumPause))
            state.failures += 1
            state.until = max(state.until, .now + .seconds(pause))
        }
    }

    /// Returns when the pause is over, at `end` at the latest.
    func wait(until end: ContinuousClock.Instant) async {
        let until = state.withLock { $0.until }
        if until > .now { try? await Task.sleep(until: min(until, end), clock: .continuous) }
    }
}

/// So many of something a minute.
struct MinuteBudget {
    private let limit: Int
    private var minute: Int64 = 0
    private var spent = 0

    init(_ limit: Int) { self.limit = limit }

    /// Whether one more may happen at `now`, seconds since 1970.
    mutating func take(at now: Int64) -> Bool {
        if minute != now / 60 { (minute, spent) = (now / 60, 0) }
        spent += 1
        return spent <= limit
    }
}
