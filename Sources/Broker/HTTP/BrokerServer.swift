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
        /// The broker's own key out of the store.
        case own
        /// For loopback addresses only, as behind a proxy on the same machine.
        case plain
    }

    /// What is served to administrators, and where.
    struct Administration: Sendable {
        /// nil for the guests' own.
        let socket: ListeningSocket?
        let certificates: ClientCertificates
        /// Has `public.json`.
        let directory: BrokerDirectory
    }

    private static let waitingThreads = 32

    private let unsealer: Unsealer
    private let metrics: Metrics
    private let socket: ListeningSocket
    private let transport: Transport
    private let operations: ListeningSocket?
    private let administration: Administration?
    private let limits: BrokerLimits

    /// `administration`: nil where there is none over HTTP. `operations`: where `/metrics` is served, in plain HTTP and to whoever can reach it; nil for nowhere. `metrics`: what
    /// `unsealer` counts into.
    init(
        _ unsealer: Unsealer, counting metrics: Metrics, socket: ListeningSocket, transport: Transport,
        operations: ListeningSocket? = nil, administration: Administration? = nil, limits: BrokerLimits = BrokerLimits()
    ) throws(BrokerError) {
        if case .plain = transport {
            try Self.requireLoopback(socket)
            if let own = administration?.socket { try Self.requireLoopback(own) }
        }
        self.unsealer = unsealer
        self.metrics = metrics
        self.socket = socket
        self.transport = transport
        self.operations = operations
        self.administration = administration
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
        // Most of them wait: for what they have decided to be on the disk, all of it together (``AuditChain``).
        let threads = NIOThreadPool(numberOfThreads: System.coreCount + Self.waitingThreads)
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
        let admin = administration.map { adminRoutes($0, gate, threads) }
        let extra = [operations, administration?.socket].compactMap { $0 }
        let started = Countdown(1 + extra.count)
        let isShared = administration?.socket == nil
        let router = routes.router(recorder, watched, isShared ? admin : nil)
        var services: [any Service] = [
            try listener(router, transport, socket, connections) { channel in started.note(url(of: channel)).map(ready) },
            Renewal(unsealer: unsealer),
            KeyReading(unsealer: unsealer, threads: threads, log: log, clock: systemSeconds),
        ]
        if let operations {
            services.append(
                try listener(watched.router(), .plain, operations, ownConnections()) { _ in started.note(nil).map(ready) })
        }
        if let own = administration?.socket, let admin {
            let certificates = administration?.certificates ?? .none
            services.append(
                try listener(admin.router(recorder), transport, own, ownConnections(), certificates) { channel in
                    log.note(.info, "administration", "listening on port \(channel.localAddress?.port ?? 0)")
                    started.note(nil).map(ready)
                })
        }
        return services
    }

    /// Apart from the guests', so that who watches or administers gets in when those are all taken.
    private func ownConnections() -> Connections { Connections(limit: 64, limitPerClient: 0, metrics: metrics) }

    private func adminRoutes(_ administration: Administration, _ gate: Gate, _ threads: NIOThreadPool) -> AdminRoutes {
        AdminRoutes(
            desk: unsealer.admin, directory: administration.directory,
            needsPin: administration.certificates == .pinned, gate: gate, threads: threads, clock: systemSeconds)
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
        _ connections: Connections, _ certificates: ClientCertificates = .none,
        ready: @escaping @Sendable (any Channel) -> Void
    ) throws -> any Service {
        let logger = Logger(label: "cvm-clevis-broker.http") { _ in LibraryLog(RequestLog()) }
        let http = HTTP1Channel(
            responder: Self.responder(router, logger, asksForCertificates: certificates != .none),
            configuration: .init(
                additionalChannelHandlers: [BodyDeadline(), EarlyAnswer()], idleTimeout: .seconds(BrokerLimits.idleSeconds),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 8 << 10, maxHeaderListSize: 16 << 10, maxHeaderFieldCount: 64)))
        switch transport {
        case .plain:
            return Listener(socket: socket, child: http, connections: connections, logger: logger, ready: ready)
        case .own:
            let unsealer = unsealer
            let child = try CurrentTLSChannel(http, asking: certificates) { unsealer.tlsKey(at: systemSeconds()) }
            return Listener(socket: socket, child: child, connections: connections, logger: logger, ready: ready)
        case .tls(let certificate, let key):
            let tls = try certificates.demand(of: Self.tls(certificate: certificate, key: key))
            let child = try TLSChannel(http, configuration: tls)
            return Listener(socket: socket, child: child, connections: connections, logger: logger, ready: ready)
        }
    }

    private static func responder(
        _ router: Router<BrokerRequestContext>, _ logger: Logger, asksForCertificates: Bool
    ) -> HTTPChannelHandler.Responder {
        let responder = router.buildResponder()
        return { request, writer, channel in
            var context = BrokerRequestContext(source: .init(channel: channel, logger: logger))
            if asksForCertificates { context.clientPin = await ClientCertificates.pin(of: channel) }
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
