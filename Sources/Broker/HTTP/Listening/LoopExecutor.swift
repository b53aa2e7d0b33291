// SPDX-License-Identifier: Apache-2.0
internal import NIOCore

/// Runs a connection's tasks on the thread that reads and writes it. What a request takes beside its decision, which has threads of
/// its own, is less than handing it to another thread and back.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
