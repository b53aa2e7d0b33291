// SPDX-License-Identifier: Apache-2.0
internal import PinKit

/// Calls `body` with 0, 1, … at once, each on a thread of its own. nil for what is not done by a moment after `deadline`:
/// who ends there has time to say what he waited for. Such a thread is left behind, and ends with the process.
func concurrently<Result: Sendable>(
    _ count: Int, until deadline: Deadline, _ body: @escaping @Sendable (Int) -> Result
) -> [Result?] {
    let grace = 200
    let mailbox = Mailbox<(Int, Result)>()
    let started = (0..<count).filter { index in startWorker { mailbox.post((index, body(index))) } }.count
    var results = [Result?](repeating: nil, count: count)
    let end = Deadline.after(milliseconds: deadline.millisecondsLeft + grace)
    for _ in 0..<started {
        guard let (index, result) = mailbox.next(before: end) else { break }
        results[index] = result
    }
    return results
}
