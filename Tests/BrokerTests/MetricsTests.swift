// SPDX-License-Identifier: Apache-2.0
import Broker
import Testing

@Suite struct MetricsTests {
    private func lines(_ metrics: Metrics) -> [Substring] { metrics.text().split(separator: "\n") }

    @Test func `buckets hold what is at most as long`() {
        let metrics = Metrics()
        for milliseconds in [0, 1, 3, 700, 20_000] { metrics.observe(.milliseconds(milliseconds)) }
        let lines = lines(metrics)
        #expect(lines.contains(#"cvm_broker_request_seconds_bucket{le="0.001"} 2"#))
        #expect(lines.contains(#"cvm_broker_request_seconds_bucket{le="0.005"} 3"#))
        #expect(lines.contains(#"cvm_broker_request_seconds_bucket{le="10.0"} 4"#))
        #expect(lines.contains(#"cvm_broker_request_seconds_bucket{le="+Inf"} 5"#))
        #expect(lines.contains("cvm_broker_request_seconds_sum 20.704"))
        #expect(lines.contains("cvm_broker_request_seconds_count 5"))
    }

    @Test func `values of labels are escaped`() {
        let metrics = Metrics()
        metrics.count(.failures, ["predicate": "a \"b\"\\\n"])
        #expect(lines(metrics).contains(#"cvm_broker_failed_predicates_total{predicate="a \"b\"\\\n"} 1"#))
    }

    @Test func `no counter grows without a bound, and none is lost`() {
        let metrics = Metrics()
        for number in 0..<10_000 { metrics.count(.failures, ["predicate": "\(number)"]) }
        let counts = lines(metrics).filter { $0.hasPrefix("cvm_broker_failed_predicates_total") }
        #expect(counts.count == 257)
        #expect(counts.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +) == 10_000)
    }
}
