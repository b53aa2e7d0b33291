// SPDX-License-Identifier: Apache-2.0
internal import HummingbirdCore
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle

/// Accepts connections on one socket until it is told to stop, and gives each to `child`.
struct Listener<Child: ServerChildChannel>: Service {
    /// Connections that wait to be accepted: a boot storm arrives at once.
    private static var backlog: CInt { 4096 }
    /// Seconds for requests in progress when the broker stops; longer than any request takes.
    private static var lastWords: Duration { .seconds(20) }

    private static var loops: MultiThreadedEventLoopGroup { .singleton }

    let socket: ListeningSocket
    let child: Child
    let connections: Connections
    let logger: Logger
    /// Called once, when connections are accepted.
    let ready: @Sendable (any Channel) -> Void

    func run() async throws {
        let server = try await bind()
        let loops = Array(Self.loops.makeIterator())
        let executors = Dictionary(uniqueKeysWithValues: loops.map { (ObjectIdentifier($0), LoopExecutor($0)) })
        try await withGracefulShutdownHandler {
            ready(server.channel)
            try await withThrowingDiscardingTaskGroup { group in
                try await server.executeThenClose { accepted in
                    for try await connection in accepted {
                        guard let connection else { continue }
                        let executor = executors[ObjectIdentifier(connection.channel.eventLoop)]
                        group.addTask(executorPreference: executor) { await child.handle(value: connection, logger: logger) }
                    }
                }
            }
        } onGracefulShutdown: {
            ServiceManager.tellStopping()
            server.channel.close(promise: nil)
            connections.stop()
            Task {
                try? await Task.sleep(for: Self.lastWords)
                connections.abandon()
            }
        }
    }

    private func bind() async throws -> NIOAsyncChannel<Child.Value?, Never> {
        let (child, connections, logger) = (child, connections, logger)
        let bootstrap = ServerBootstrap(group: Self.loops)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        @Sendable func setUp(_ channel: any Channel) -> EventLoopFuture<Child.Value?> {
            guard connections.admit(channel) else { return channel.eventLoop.makeSucceededFuture(nil) }
            // A connection that ends while it is set up is no reason to stop accepting others.
            return child.setup(channel: channel, logger: logger).map { $0 }.flatMapErrorThrowing { _ in
                channel.close(promise: nil)
                return nil
            }
        }
        switch socket {
        case .address(let address):
            return try await bootstrap.bind(host: address.host, port: Int(address.port), childChannelInitializer: setUp)
        case .inherited(let descriptor): return try await bootstrap.bind(descriptor, childChannelInitializer: setUp)
        }
    }
}
