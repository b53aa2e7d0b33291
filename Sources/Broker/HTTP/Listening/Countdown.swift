// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// Several things that must have started before one thing is said.
final class Countdown: Sendable {
    private struct State {
        var missing: Int
        var text: String?
    }

    private let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(missing: count)) }

    /// One more has started; `text` is what is to be said in the end. Returns it with the last.
    func note(_ text: String?) -> String? {
        state.withLock { state in
            state.missing -= 1
            if let text { state.text = text }
            return state.missing == 0 ? state.text : nil
        }
    }
}
