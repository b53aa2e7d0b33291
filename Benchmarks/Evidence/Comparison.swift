// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Two pieces of work, measured by turns, and how many times as long the first takes as the second.
struct Comparison: CustomStringConvertible {
    private static let rounds = 60
    private static let runsPerRound = 20

    private let (name, referenceName): (String, String)
    private let (ours, reference): (Double, Double)
    private let ratio: Double
    private let bar: Double

    /// Both must answer true: what fails early costs nothing. The ratio is the median of those of the rounds, so that what
    /// else the machine does in one of them does not count.
    init(
        _ name: String, bar: Double, ours: () -> Bool, _ referenceName: String, reference: () -> Bool
    ) {
        var rounds: [(ours: Double, reference: Double)] = []
        for _ in 0..<Self.rounds { rounds.append((Self.microseconds(ours), Self.microseconds(reference))) }
        self.name = name
        self.referenceName = referenceName
        self.bar = bar
        self.ours = Self.median(rounds.map(\.ours))
        self.reference = Self.median(rounds.map(\.reference))
        self.ratio = Self.median(rounds.map { $0.ours / $0.reference })
    }

    var isMet: Bool { ratio <= bar }

    var description: String {
        "\(name): \(Self.rounded(ours)) us; \(referenceName): \(Self.rounded(reference)) us; "
            + "ratio \(Self.rounded(ratio)) (\(isMet ? "within" : "OVER") the bar of \(bar))"
    }

    /// Of processor time, for one run.
    private static func microseconds(_ work: () -> Bool) -> Double {
        let start = processorTime()
        for _ in 0..<runsPerRound { precondition(work(), "what is measured must work") }
        return (processorTime() - start) / Double(runsPerRound)
    }

    private static func processorTime() -> Double {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    private static func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
}
