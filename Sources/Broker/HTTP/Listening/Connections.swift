// SPDX-License-Identifier: Apache-2.0
internal import NIOCore
internal import Synchronization

/// The connections that are open: how many there may be, of all clients and of one, and their end when the broker stops.
final class Connections: Sendable {
    private struct State {
        var open: [ObjectIdentifier: any Channel] = [:]
        var byClient: [ClientAddress: Int] = [:]
        var isStopping = false
    }

    private let limit: Int
    private let limitPerClient: Int
    private let metrics: Metrics
    private let state = Mutex(State())

    /// `limitPerClient`: 0 where there is none.
    init(limit: Int, limitPerClient: Int, metrics: Metrics) {
        self.limit = limit
        self.limitPerClient = limitPerClient
        self.metrics = metrics
    }

    var count: Int { state.withLock { $0.open.count } }
    var isStopping: Bool { state.withLock { $0.isStopping } }

    /// Whether `channel` may stay. One that may not is closed at once: before TLS there is nothing to say to it.
    func admit(_ channel: any Channel) -> Bool {
        let client = ClientAddress(channel.remoteAddress?.ipAddress)
        let id = ObjectIdentifier(channel)
        let refusal = state.withLock { (state) -> String? in
            if state.isStopping { return "stopping" }
            guard state.open.count < limit else { return "full" }
            let mine = state.byClient[client, default: 0]
            guard limitPerClient == 0 || mine < limitPerClient else { return "client" }
            state.open[id] = channel
            state.byClient[client] = mine + 1
            return nil
        }
        if let refusal {
            metrics.count(.refusedConnections, ["reason": refusal])
            channel.close(promise: nil)
            return false
        }
        channel.closeFuture.whenComplete { _ in self.remove(id, of: client) }
        return true
    }

    private func remove(_ id: ObjectIdentifier, of client: ClientAddress) {
        state.withLock { state in
            guard state.open.removeValue(forKey: id) != nil else { return }
            let mine = state.byClient[client, default: 1] - 1
            state.byClient[client] = mine > 0 ? mine : nil
        }
    }

    /// Takes no more, closes what is idle, and lets requests in progress have their answers.
    func stop() {
        for channel in stopping() {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
    }

    /// Closes what is left.
    func abandon() {
        for channel in stopping() { channel.close(promise: nil) }
    }

    private func stopping() -> [any Channel] {
        state.withLock { state in
            state.isStopping = true
            return Array(state.open.values)
        }
    }
}

/// Who counts as one client: an IPv4 address, or the /64 that one customer of a network has.
struct ClientAddress: Hashable, Sendable {
    private let octets: [UInt8]

    /// nil, and what is no address, is one client of its own.
    init(_ text: String?) {
        let text = text ?? ""
        if let address = ListenAddress.ipv4(text) {
            octets = address
        } else if let address = ListenAddress.ipv6(text) {
            let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
            octets = Array(address.starts(with: mapped) ? address.suffix(4) : address.prefix(8))
        } else {
            octets = []
        }
    }
}
