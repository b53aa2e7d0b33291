// SPDX-License-Identifier: Apache-2.0
import Glibc

/// What all fuzz targets do around the code they try (scripts/fuzz builds and runs them). libFuzzer watches for traps, for
/// allocations and for seconds; the bar on time is a tenth of one, so that it is watched here.
enum Harness {
    /// Of processor time: a busy machine is not the input's fault.
    private static let maximumNanoseconds = 100_000_000

    /// Runs `body` on a copy of libFuzzer's bytes. 0 is what libFuzzer wants to hear.
    static func run(_ start: UnsafePointer<UInt8>?, _ count: Int, _ body: ([UInt8]) -> Void) -> CInt {
        let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
        let before = processorTime()
        body(bytes)
        let spent = processorTime() - before
        guard spent <= maximumNanoseconds else { fatalError("\(count) bytes took \(spent / 1_000_000) ms") }
        return 0
    }

    private static func processorTime() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
