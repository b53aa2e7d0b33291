// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Runs `body` on a thread of its own, which nobody joins: a worker past its deadline is left behind, and ends with the
/// process. False when the system has no thread to give.
package func startWorker(_ body: @escaping @Sendable () -> Void) -> Bool {
    final class Work {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    let work = unsafe Unmanaged.passRetained(Work(body))
    var thread = pthread_t()
    let status = unsafe pthread_create(
        &thread, nil,
        { argument in
            unsafe Unmanaged<Work>.fromOpaque(argument!).takeRetainedValue().body()
            return nil
        }, work.toOpaque())
    guard status == 0 else {
        unsafe work.release()
        return false
    }
    pthread_detach(thread)
    return true
}
