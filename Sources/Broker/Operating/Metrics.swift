// SPDX-License-Identifier: Apache-2.0
internal import Synchronization

/// What a broker has counted since it started, and its text for Prometheus (exposition format 0.0.4).
public final class Metrics: Sendable {
    /// A counter's name and what it counts. Label values come from the broker's own words only, so their number is bounded.
    package struct Counter: Hashable, Sendable {
        let name: String
        let help: String

        package static let decisions = Counter(
            name: "cvm_broker_decisions_total", help: "Decisions about envelopes and evidence, by decision.")
        package static let requests = Counter(
            name: "cvm_broker_requests_total", help: "Requests, by endpoint, HTTP status and the error's name.")
        package static let failures = Counter(
            name: "cvm_broker_failed_predicates_total", help: "Conditions that evidence did not meet, by condition.")
        package static let refusedConnections = Counter(
            name: "cvm_broker_refused_connections_total", help: "Connections closed as they came, by reason.")
        package static let certificates = Counter(
            name: "cvm_broker_certificates_total", help: "VCEKs found without asking AMD, by where.")
        package static let vendorRequests = Counter(
            name: "cvm_broker_vendor_requests_total", help: "Requests to vendors' servers, by vendor and result.")

        package static let adminCalls = Counter(
            name: "cvm_broker_admin_calls_total", help: "Calls of administrators, by action and decision.")

        static let all = [
            requests, decisions, failures, adminCalls, refusedConnections, certificates, vendorRequests,
        ]
    }

    /// What is not counted but looked at now.
    package struct Gauge: Sendable {
        let name: String
        let help: String

        static let connections = Gauge(name: "cvm_broker_connections", help: "Open connections.")
        static let deciding = Gauge(name: "cvm_broker_deciding", help: "Requests that are being decided.")
        static let storeUp = Gauge(name: "cvm_broker_store_up", help: "Whether the store can be read.")
        static let certificatesHeld = Gauge(name: "cvm_broker_certificates_held", help: "VCEKs in memory.")
        static let certificatesSought = Gauge(
            name: "cvm_broker_certificates_sought", help: "VCEKs that are being searched for.")
    }

    /// Sets of labels of one counter; what is beyond them is counted without labels, so that nothing grows without a bound.
    private static let maximumSeries = 256

    /// Upper bounds of the histogram's buckets in milliseconds.
    private static let bounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10_000]

    private struct State {
        var counts: [Counter: [String: UInt64]] = [:]
        var buckets = [UInt64](repeating: 0, count: Metrics.bounds.count)
        var requests: UInt64 = 0
        var microseconds: UInt64 = 0
    }

    private let state = Mutex(State())

    public init() {}

    package func count(_ counter: Counter, _ labels: KeyValuePairs<String, String> = [:]) {
        let text = Self.text(of: labels)
        state.withLock { state in
            let isKnown =
                state.counts[counter]?[text] != nil || (state.counts[counter]?.count ?? 0) < Self.maximumSeries
            state.counts[counter, default: [:]][isKnown ? text : "", default: 0] += 1
        }
    }

    /// What `counter` has for exactly these labels.
    package func value(of counter: Counter, _ labels: KeyValuePairs<String, String> = [:]) -> UInt64 {
        let text = Self.text(of: labels)
        return state.withLock { $0.counts[counter]?[text] ?? 0 }
    }

    /// With the three characters escaped that the format escapes.
    private static func text(of labels: KeyValuePairs<String, String>) -> String {
        labels.map { label in
            let value = label.value.reduce(into: "") { text, character in
                switch character {
                case "\\": text += "\\\\"
                case "\"": text += "\\\""
                case "\n": text += "\\n"
                default: text.append(character)
                }
            }
            return "\(label.key)=\"\(value)\""
        }.joined(separator: ",")
    }

    /// One request took so long, from its head to its answer.
    package func observe(_ duration: Duration) {
        let microseconds = UInt64(duration.microseconds)
        state.withLock { state in
            state.requests += 1
            state.microseconds &+= microseconds
            for (index, bound) in Metrics.bounds.enumerated() where microseconds <= UInt64(bound) * 1000 {
                state.buckets[index] += 1
            }
        }
    }

    /// All of it, as Prometheus reads it.
    package func text(gauges: [(Gauge, Int)] = []) -> String {
        let state = state.withLock { $0 }
        var lines: [String] = []
        for counter in Counter.all {
            lines += ["# HELP \(counter.name) \(counter.help)", "# TYPE \(counter.name) counter"]
            for (labels, count) in (state.counts[counter] ?? [:]).sorted(by: { $0.key < $1.key }) {
                lines.append("\(counter.name)\(labels.isEmpty ? "" : "{\(labels)}") \(count)")
            }
        }
        lines += Metrics.histogram(state)
        for (gauge, value) in gauges {
            lines += [
                "# HELP \(gauge.name) \(gauge.help)", "# TYPE \(gauge.name) gauge", "\(gauge.name) \(value)",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func histogram(_ state: State) -> [String] {
        let name = "cvm_broker_request_seconds"
        var lines = ["# HELP \(name) From a request's head to its answer.", "# TYPE \(name) histogram"]
        for (bound, count) in zip(bounds, state.buckets) {
            lines.append("\(name)_bucket{le=\"\(Double(bound) / 1000)\"} \(count)")
        }
        return lines + [
            "\(name)_bucket{le=\"+Inf\"} \(state.requests)", "\(name)_sum \(Double(state.microseconds) / 1_000_000)",
            "\(name)_count \(state.requests)",
        ]
    }
}
