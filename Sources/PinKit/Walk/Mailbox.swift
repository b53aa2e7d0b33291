// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// A queue between worker threads and the one that walks; waiting ends at a deadline.
@safe package final class Mailbox<Element: Sendable>: @unchecked Sendable {
    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let arrived: UnsafeMutablePointer<pthread_cond_t>
    private var queue: [Element] = []

    package init() {
        unsafe lock = .allocate(capacity: 1)
        unsafe arrived = .allocate(capacity: 1)
        unsafe pthread_mutex_init(lock, nil)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(arrived, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(arrived)
        unsafe pthread_mutex_destroy(lock)
        unsafe arrived.deallocate()
        unsafe lock.deallocate()
    }

    package func post(_ element: Element) {
        unsafe pthread_mutex_lock(lock)
        queue.append(element)
        unsafe pthread_cond_signal(arrived)
        unsafe pthread_mutex_unlock(lock)
    }

    /// The oldest element; nil when the deadline passes first.
    package func next(before deadline: Deadline) -> Element? {
        unsafe pthread_mutex_lock(lock)
        defer { unsafe pthread_mutex_unlock(lock) }
        var until = timespec()
        until.tv_sec = Int(deadline.nanoseconds / 1_000_000_000)
        until.tv_nsec = Int(deadline.nanoseconds % 1_000_000_000)
        while queue.isEmpty {
            guard unsafe pthread_cond_timedwait(arrived, lock, &until) == 0 else { break }
        }
        return queue.isEmpty ? nil : queue.removeFirst()
    }
}
