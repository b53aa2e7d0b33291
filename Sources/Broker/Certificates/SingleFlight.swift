// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// One search at a time for each of several things: who needs the same waits for it.
final class SingleFlight<Name: Hashable & Sendable, Outcome: Sendable>: Sendable {
    private typealias Waiter = AsyncStream<Outcome>.Continuation

    private let capacity: Int
    private let searches = Mutex([Name: [Waiter]]())

    /// `capacity`: searches at a time.
    init(capacity: Int) { self.capacity = capacity }

    /// What `search` finds, which goes on after `patience` for who asks again; nil where that was too short, or there are too many
    /// searches.
    func outcome(
        of name: Name, patience: Duration, _ search: @escaping @Sendable () async -> Outcome
    ) async -> Outcome? {
        let (outcomes, waiter) = AsyncStream.makeStream(of: Outcome.self)
        let isFirst = searches.withLock { (searches) -> Bool? in
            if searches[name] == nil, searches.count >= capacity { return nil }
            defer { searches[name, default: []].append(waiter) }
            return searches[name] == nil
        }
        guard let isFirst else { return nil }
        if isFirst {
            Task {
                let outcome = await search()
                let waiters = searches.withLock { $0.removeValue(forKey: name) ?? [] }
                for waiter in waiters {
                    waiter.yield(outcome)
                    waiter.finish()
                }
            }
        }
        return try? await withDeadline(patience) {
            for await outcome in outcomes { return outcome }
            throw CancellationError()
        }
    }
}
