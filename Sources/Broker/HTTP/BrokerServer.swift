// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import HummingbirdCore
internal import HummingbirdTLS
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL

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
    private let address: ListenAddress
    private let transport: Transport

    public init(_ unsealer: Unsealer, address: ListenAddress, transport: Transport) throws(BrokerError) {
        if case .plain = transport, !address.isLoopback {
            throw BrokerError(
                "\(address.host) is not a loopback address: without TLS anybody on the way could answer for this broker",
                hint: "listen on 127.0.0.1, or leave --no-tls out")
        }
        self.unsealer = unsealer
        self.address = address
        self.transport = transport
    }

    /// Serves until SIGTERM or SIGINT; requests in progress are answered first. `ready` is called once, with the URL, when
    /// connections are accepted.
    public func run(ready: @escaping @Sendable (String) -> Void) async throws(BrokerError) {
        let threads = NIOThreadPool(numberOfThreads: System.coreCount)
        threads.start()
        let logger = Logger(label: "cvm-clevis-broker")
        let routes = Routes(
            unsealer: unsealer, gate: Gate(capacity: Limits.requests), threads: threads, log: DecisionLog(logger),
            clock: systemSeconds)
        do {
            let application = Application(
                router: routes.router(), server: try server(), configuration: configuration,
                onServerRunning: { channel in ready(url(of: channel)) }, logger: BrokerServer.frameworkLogger)
            try await application.runService()
            await unsealer.close()
            try await threads.shutdownGracefully()
        } catch let error as BrokerError {
            throw error
        } catch {
            throw BrokerError("cannot serve on \(address.host):\(address.port): \(error)")
        }
    }

    private var configuration: ApplicationConfiguration {
        ApplicationConfiguration(
            address: .hostname(address.host, port: Int(address.port)),
            availableConnectionsDelegate: MaximumAvailableConnections(Limits.connections))
    }

    private func server() throws -> HTTPServerBuilder {
        let http = HTTPServerBuilder.http1(
            configuration: HTTP1Channel.Configuration(
                idleTimeout: .seconds(Limits.idleSeconds),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: 8 << 10, maxHeaderListSize: 16 << 10, maxHeaderFieldCount: 64)))
        switch transport {
        case .plain: return http
        case .tls(let certificate, let key): return try .tls(http, tlsConfiguration: tls(certificate: certificate, key: key))
        }
    }

    private func tls(certificate: String, key: String) throws(BrokerError) -> TLSConfiguration {
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
        let host = address.host.contains(":") ? "[\(address.host)]" : address.host
        return "\(scheme)://\(host):\(channel.localAddress?.port ?? Int(address.port))"
    }

    /// Hummingbird's own lines about starting and stopping are not worth a reader's time.
    private static var frameworkLogger: Logger {
        var logger = Logger(label: "cvm-clevis-broker.http")
        logger.logLevel = .error
        return logger
    }
}
