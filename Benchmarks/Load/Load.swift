// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import PinKit
internal import Synchronization

/// What many guests do together, and how long each handshake takes.
final class Load: Sendable {
    private struct Record {
        var isMeasuring = false
        var times: [Duration] = []
        var errors: [String: Int] = [:]
    }

    private let guests: Int
    private let rate: Double
    private let record = Mutex(Record())

    /// `rate`: handshakes a second of all together; 0 for as many as there can be.
    init(guests: Int, rate: Double) {
        self.guests = guests
        self.rate = rate
    }

    /// A guest's life, on a thread of its own.
    func run(_ order: Guest.Order, _ number: Int) {
        guard let guest = try? Guest(order) else { return note(.zero, "a guest cannot be made") }
        let distance = rate > 0 ? Duration.seconds(Double(guests) / rate) : .zero
        var next = ContinuousClock.now + distance * Double(number) / Double(guests)
        while true {
            // Measured from when it was due: a slow answer must not make room for itself.
            var begin = ContinuousClock.now
            if rate > 0 {
                if next > begin { pause(next - begin) }
                begin = next
                next += distance
            }
            do {
                try guest.handshake()
                note(ContinuousClock.now - begin, nil)
            } catch {
                note(ContinuousClock.now - begin, "\(error)")
            }
        }
    }

    /// All guests at once, so many times, each with a connection of its own; what became of them.
    func storm(_ order: Guest.Order, waves: Int) throws -> String {
        var length = Duration.zero
        for wave in 1...waves {
            // Made before the clock runs: what guests do before they ask.
            let crowd = try (0..<guests).map { _ in Lent(try Guest(order)) }
            record.withLock { $0.isMeasuring = true }
            let start = ContinuousClock.now
            for guest in crowd {
                let started = startWorker {
                    let begin = ContinuousClock.now
                    do {
                        try guest.value.handshake()
                        self.note(ContinuousClock.now - begin, nil)
                    } catch {
                        self.note(ContinuousClock.now - begin, "\(error)")
                    }
                }
                guard started else { throw LoadError("no more threads") }
            }
            while finished < wave * guests { usleep(1000) }
            length += ContinuousClock.now - start
        }
        return report(length)
    }

    private var finished: Int { record.withLock { $0.times.count + $0.errors.values.reduce(0, +) } }

    private func pause(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        var time = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
        unsafe nanosleep(&time, nil)
    }

    private func note(_ duration: Duration, _ error: String?) {
        record.withLock { record in
            guard record.isMeasuring else { return }
            if let error { record.errors[error, default: 0] += 1 } else { record.times.append(duration) }
        }
    }

    /// Waits, and says what happened meanwhile.
    func measure(seconds: Int) -> String {
        record.withLock { $0.isMeasuring = true }
        let start = ContinuousClock.now
        sleep(UInt32(seconds))
        return report(ContinuousClock.now - start)
    }

    private func report(_ time: Duration) -> String {
        let length = time / .seconds(1)
        let (times, errors) = record.withLock { ($0.times.sorted(), $0.errors) }
        func percentile(_ part: Double) -> JSON {
            times.isEmpty ? .null : .real(times[min(times.count - 1, Int(Double(times.count) * part))] / .milliseconds(1))
        }
        var result: JSONObject = [
            "handshakes": .integer(Int64(times.count)), "seconds": .real(length),
            "per_second": .real(Double(times.count) / length),
            "p50_ms": percentile(0.5), "p99_ms": percentile(0.99), "max_ms": percentile(1),
            "errors": .integer(Int64(errors.values.reduce(0, +))),
        ]
        for (error, count) in errors.sorted(by: { $0.value > $1.value }).prefix(3) { result[error] = .integer(Int64(count)) }
        return JSON.object(result).compact
    }
}

/// A guest on its way to the thread that will be its only user.
private struct Lent: @unchecked Sendable {
    let value: Guest
    init(_ value: Guest) { self.value = value }
}
