// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import HummingbirdCore
internal import HummingbirdTLS
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import ServiceLifecycle
internal import UnixSignals

/// A broker on a socket.
public struct BrokerServer: Sendable {
    /// Where the TLS identity comes from.
    public enum Transport: Sendable {
        /// PEM files: the chain, leaf first, and its key.
        case tls(certificate: String, key: String)
        /// For loopback addresses only, as behind a proxy on the same machine.
        case plain
    }

    private let unsealer: Unsealer
    private let metrics: Metrics
    private let socket: ListeningSocket
    private let transport: Transport
    private let operations: ListeningSocket?
    private let limits: BrokerLimits

    /// `operations`: where `/metrics` is served, in plain HTTP and to whoever can reach it; nil for nowhere. `metrics`: what
    /// `unsealer` counts into.
    public init(
        _ unsealer: Unsealer, counting metrics: Metrics, socket: ListeningSocket, transport: Transport,
        operations: ListeningSocket? = nil, limits: BrokerLimits = BrokerLimits()
    ) throws(BrokerError) {
        if case .plain = transport { try Self.requireLoopback(socket) }
        self.unsealer = unsealer
        self.metrics = metrics
        self.socket = socket
        self.transport = transport
        self.operations = operations
        self.limits = limits
    }

    /// Without TLS only this machine is served.
    static func requireLoopback(_ socket: ListeningSocket) throws(BrokerError) {
        guard !socket.isLoopback else { return }
        throw BrokerError(
            "\(socket.host) is not a loopback address: without TLS anybody on the way could answer for this broker",
            hint: "listen on 127.0.0.1, or leave --no-tls out")
    }

    /// Serves until SIGTERM or SIGINT; requests in progress are answered first. `ready` is called once, with the URL, when
    /// connections are accepted.
    public func run(ready: @escaping @Sendable (String) -> Void) async throws(BrokerError) {
        let threads = NIOThreadPool(numberOfThreads: System.coreCount)
        threads.start()
        do {
            let services = try services(threads, ready)
            let logger = Logger(label: "cvm-clevis-broker.http") { _ in LibraryLog(RequestLog()) }
            let group = ServiceGroup(
                configuration: .init(services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
            try await group.run()
            await unsealer.close()
            try await threads.shutdownGracefully()
        } catch let error as BrokerError {
            throw error
        } catch {
            throw BrokerError("cannot serve on \(socket.text): \(error)")
        }
    }

    private func services(
        _ threads: NIOThreadPool, _ ready: @escaping @Sendable (String) -> Void
    ) throws -> [any Service] {
        let log = RequestLog()
        let connections = Connections(
            limit: reservedConnections(log), limitPerClient: limits.connectionsPerClient, metrics: metrics)
        let gate = Gate(capacity: limits.deciding, bytes: limits.decidingBytes)
        let watched = Operations(
            unsealer: unsealer, connections: connections, gate: gate, metrics: metrics, threads: threads)
        let routes = Routes(unsealer: unsealer, gate: gate, threads: threads, clock: systemSeconds)
        let recorder = RequestRecorder(rate: ClientRate(limits.requestsPerSecond), log: log, metrics: metrics)
        let started = Countdown(operations == nil ? 1 : 2)
        let main = try listener(routes.router(recorder, watched), transport, socket, connections) { channel in
            started.note(url(of: channel)).map(ready)
        }
        let renewal = Renewal(unsealer: unsealer)
        let reading = KeyReading(unsealer: unsealer, threads: threads, log: log, clock: systemSeconds)
        guard let operations else { return [main, renewal, reading] }
        // Of its own, so that who watches gets in when the guests' connections are all taken.
        let own = Connections(limit: 64, limitPerClient: 0, metrics: metrics)
        return [
            main, renewal, reading,
            try listener(watched.router(), .plain, operations, own) { _ in started.note(nil).map(ready) },
        ]
    }

    private func reservedConnections(_ log: RequestLog) -> Int {
        let possible = limits.reserveFiles()
        if possible < limits.connections {
            log.note(.warning, "limits", "only \(possible) connections: the system allows no more open files (LimitNOFILE)")
        }
        return possible
    }

    private func listener(
        _ router: Router<BrokerRequestContext>, _ transport: Transport, _ socket: ListeningSocket,
        _ connections: Connections, ready: @escaping @Sendable (any Channel) -> Void
    ) throws -> any Service {
        let logger = Logger(label: "cvm-clevis-broker.http") { _ in LibraryLog(RequestLog()) }
        let http = HTTP1Channel(
            responder: Self.responder(router, logger),
            configuration: .init(
                additionalChannelHandlers: [EarlyAnswer()], idleTimeout: .seconds(BrokerLimits.idleSeconds),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 8 << 10, maxHeaderListSize: 16 << 10, maxHeaderFieldCount: 64)))
        switch transport {
        case .plain:
            return Listener(socket: socket, child: http, connections: connections, logger: logger, ready: ready)
        case .tls(let certificate, let key):
            let child = try TLSChannel(http, tlsConfiguration: Self.tls(certificate: certificate, key: key))
            return Listener(socket: socket, child: child, connections: connections, logger: logger, ready: ready)
        }
    }

    private static func responder(
        _ router: Router<BrokerRequestContext>, _ logger: Logger
    ) -> HTTPChannelHandler.Responder {
        let responder = router.buildResponder()
        return { request, writer, channel in
            let context = BrokerRequestContext(source: .init(channel: channel, logger: logger))
            var response: Response
            do {
                response = try await responder.respond(to: request, context: context)
            } catch {
                // Only what has no recorder around it: a path that nobody serves.
                response = KBSErrors.response(to: KBSErrors.rejection(for: error))
            }
            response.headers[.date] = Timestamp.http
            try await writer.write(response: response.head, body: response.body)
        }
    }

    /// A usable identity, or what is wrong with it.
    static func tls(certificate: String, key: String) throws(BrokerError) -> TLSConfiguration {
        do {
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(certificate).map { .certificate($0) },
                // Read by the library itself, so that no copy of the key lies in an array of ours.
                privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
            configuration.minimumTLSVersion = .tlsv13
            return configuration
        } catch {
            throw BrokerError("cannot use \(certificate) with \(key): \(error)")
        }
    }

    private func url(of channel: any Channel) -> String {
        let scheme = if case .plain = transport { "http" } else { "https" }
        let host = socket.host.contains(":") ? "[\(socket.host)]" : socket.host
        return "\(scheme)://\(host):\(channel.localAddress?.port ?? 0)"
    }
}
