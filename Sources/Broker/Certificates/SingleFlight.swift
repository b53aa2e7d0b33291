// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// One search at a time for each of several things: who needs the same waits for it.
final class SingleFlight<Name: Hashable & Sendable, Outcome: Sendable>: Sendable {
    private typealias Waiter = AsyncStream<Outcome>.Continuation

    private let capacity: Int
    private let searches = Mutex([Name: [Waiter]]())

    /// `capacity`: searches at a time.
    init(capacity: Int) { self.capacity = capacity }

    /// Searches that are under way.
    var count: Int { searches.withLock { $0.count } }

    /// How waiting for a search ended.
    enum Ending: Sendable {
        case found(Outcome)
        /// Patience was over first; the search goes on for who asks again.
        case late
        /// There are as many searches as there may be.
        case full
    }

    /// What `search` finds within `patience`.
    func ending(
        of name: Name, patience: Duration, _ search: @escaping @Sendable () async -> Outcome
    ) async -> Ending {
        let (outcomes, waiter) = AsyncStream.makeStream(of: Outcome.self)
        let isFirst = searches.withLock { (searches) -> Bool? in
            if searches[name] == nil, searches.count >= capacity { return nil }
            defer { searches[name, default: []].append(waiter) }
            return searches[name] == nil
        }
        guard let isFirst else { return .full }
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
        let found: Ending? = try? await withDeadline(patience) {
            for await outcome in outcomes { return .found(outcome) }
            throw CancellationError()
        }
        return found ?? .late
    }

    /// The same, nil where nothing was found.
    func outcome(
        of name: Name, patience: Duration, _ search: @escaping @Sendable () async -> Outcome
    ) async -> Outcome? {
        if case .found(let outcome) = await ending(of: name, patience: patience, search) { outcome } else { nil }
    }
}
