// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import NIOPosix

/// What machines ask that look after a broker: does it live, may it get requests, what has it counted (docs/spec/broker.md §8.1).
struct Operations: Sendable {
    static let probes: Set<String> = ["/healthz", "/readyz"]

    let unsealer: Unsealer
    let connections: Connections
    let gate: Gate
    let metrics: Metrics
    let threads: NIOThreadPool

    /// On the guests' own address: what a load balancer needs.
    func add(to router: Router<BrokerRequestContext>) {
        router.get("healthz") { _, _ in Response.text("ok\n") }
        router.get("readyz") { _, _ in await ready() }
    }

    /// For an address of its own.
    func router() -> Router<BrokerRequestContext> {
        let router = Router(context: BrokerRequestContext.self)
        add(to: router)
        router.get("metrics") { _, _ in await counted() }
        return router
    }

    /// 503 while it stops, and where its store cannot be read.
    private func ready() async -> Response {
        guard !connections.isStopping else { return .text("stopping\n", status: .serviceUnavailable) }
        guard await isStoreUp() else { return .text("the store cannot be read\n", status: .serviceUnavailable) }
        return .text("ok\n")
    }

    private func isStoreUp() async -> Bool {
        (try? await threads.runIfActive { try unsealer.checkStore() }) != nil
    }

    private func counted() async -> Response {
        let text = metrics.text(gauges: [
            (.connections, connections.count), (.deciding, gate.count), (.storeUp, await isStoreUp() ? 1 : 0),
            (.certificatesHeld, unsealer.certificatesHeld), (.certificatesSought, unsealer.certificatesSought),
        ])
        var response = Response.text(text)
        response.headers[.contentType] = "text/plain; version=0.0.4; charset=utf-8"
        return response
    }
}
