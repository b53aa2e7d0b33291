// SPDX-License-Identifier: Apache-2.0

/// A broker as its settings describe it, with everything loaded that it needs.
public struct BrokerService: Sendable {
    /// The name by which a service manager hands over the socket of `--operations`.
    private static let operationsSocket = "operations"

    public let directory: BrokerDirectory
    /// Warnings for the operator, one line each.
    public let warnings: [String]
    private let server: BrokerServer

    /// Throws the first thing that is missing or wrong. `sockets`: what a service manager opened; they go before addresses.
    public init(
        _ settings: ServeSettings, sockets: [(name: String, socket: ListeningSocket)] = []
    ) throws(BrokerError) {
        let steps = ServiceSteps(settings)
        directory = try steps.directory()
        let (transport, warnings) = try steps.transport()
        self.warnings = warnings
        let metrics = Metrics()
        let unsealer = try steps.configuration().makeUnsealer(counting: metrics)
        let own = sockets.filter { $0.name != Self.operationsSocket }
        guard own.count <= 1, sockets.count - own.count <= 1 else {
            throw BrokerError(
                "the service manager opened \(sockets.count) sockets",
                hint: "one for guests, and one with FileDescriptorName=\(Self.operationsSocket)")
        }
        let inherited = sockets.first { $0.name == Self.operationsSocket }?.socket
        let watched = if let inherited { inherited } else { try steps.operations() }
        let main = if let inherited = own.first?.socket { inherited } else { try steps.socket() }
        server = try BrokerServer(
            unsealer, counting: metrics, socket: main, transport: transport,
            operations: watched, administration: try steps.administration(), limits: steps.limits)
    }

    /// See ``BrokerServer/run(ready:)``; also tells the service manager.
    public func run(ready: @escaping @Sendable (String) -> Void) async throws(BrokerError) {
        try await server.run { url in
            ready(url)
            ServiceManager.tellReady("listening on \(url)")
        }
    }

    /// Everything that is wrong with `settings`, as far as it can be seen without serving; `line` says where a setting stands.
    public static func problems(of settings: ServeSettings, line: (String) -> Int) -> [SettingProblem] {
        let steps = ServiceSteps(settings)
        var problems: [SettingProblem] = []
        func attempt(_ name: String, _ body: () throws(BrokerError) -> Void) {
            do throws(BrokerError) {
                try body()
            } catch {
                problems.append(SettingProblem(line: line(name), message: "\(name): \(error)", hint: error.hint))
            }
        }
        attempt("directory") { () throws(BrokerError) in try steps.directory().checkKeyFiles() }
        attempt("listen") { () throws(BrokerError) in _ = try steps.socket() }
        attempt("operations") { () throws(BrokerError) in _ = try steps.operations() }
        attempt("admin.listen") { () throws(BrokerError) in
            if let own = try steps.adminSocket(), settings.noTLS == true { try BrokerServer.requireLoopback(own) }
        }
        attempt("admin.client_ca") { () throws(BrokerError) in
            if let file = settings.admin?.clientCA { _ = try ClientCertificates.authorities(in: file) }
        }
        attempt("admin") { () throws(BrokerError) in _ = try steps.clientCertificates() }
        attempt(settings.noTLS == true ? "no_tls" : "tls_cert") { () throws(BrokerError) in try steps.checkTransport() }
        attempt("minimum_tcb") { () throws(BrokerError) in _ = try MinimumTCB(settings.minimumTCB ?? []) }
        attempt("amd_kds") { () throws(BrokerError) in
            _ = try steps.keyService().map { base throws(BrokerError) in try AMDKeyService(base) }
        }
        attempt("intel_pcs") { () throws(BrokerError) in
            _ = try steps.collateralService().map { base throws(BrokerError) in try IntelCollateralService(base) }
        }
        attempt("trust_simulator") { () throws(BrokerError) in
            _ = try EvidenceCheck(simulatorTrust: settings.trustSimulator)
        }
        attempt("collateral") { () throws(BrokerError) in
            _ = try EvidenceCheck(simulatorTrust: settings.trustSimulator, collateral: settings.collateral ?? [])
        }
        attempt("revocation_list") { () throws(BrokerError) in
            _ = try EvidenceCheck(
                simulatorTrust: settings.trustSimulator, revocationLists: settings.revocationLists ?? [])
        }
        return problems.sorted { $0.line < $1.line }
    }
}

/// What each setting stands for.
private struct ServiceSteps {
    let settings: ServeSettings

    init(_ settings: ServeSettings) { self.settings = settings }

    func directory() throws(BrokerError) -> BrokerDirectory {
        guard let path = settings.directory else {
            throw BrokerError("no broker's directory is named", hint: "serve DIR, or directory in the configuration file")
        }
        let directory = BrokerDirectory(path)
        try directory.requireBroker()
        return directory
    }

    func configuration() throws(BrokerError) -> BrokerConfiguration {
        BrokerConfiguration(
            directory: try directory(), minimumTCB: settings.minimumTCB ?? [], simulatorTrust: settings.trustSimulator,
            collateral: settings.collateral ?? [], revocationLists: settings.revocationLists ?? [],
            amdKeyService: keyService(), intelCollateralService: collateralService())
    }

    func keyService() -> String? {
        let service = settings.amdKeyService ?? BrokerConfiguration.officialKeyService
        return service == "off" ? nil : service
    }

    func collateralService() -> String? {
        let service = settings.intelCollateralService ?? BrokerConfiguration.officialCollateralService
        return service == "off" ? nil : service
    }

    func socket() throws(BrokerError) -> ListeningSocket { .address(try ListenAddress(settings.listen ?? "127.0.0.1:8443")) }

    func operations() throws(BrokerError) -> ListeningSocket? {
        guard let text = settings.operations else { return nil }
        return .address(try ListenAddress(text))
    }

    func adminSocket() throws(BrokerError) -> ListeningSocket? {
        guard let text = settings.admin?.listen else { return nil }
        return .address(try ListenAddress(text))
    }

    func clientCertificates() throws(BrokerError) -> ClientCertificates {
        guard let admin = settings.admin, admin.clientCA != nil || admin.clientPins == true else { return .none }
        guard admin.listen != nil, settings.noTLS != true else {
            throw BrokerError(
                "client certificates take TLS and an address for administrators alone", hint: "give admin.listen")
        }
        guard let file = admin.clientCA else { return .pinned }
        guard admin.clientPins != true else {
            throw BrokerError(
                "client_ca and client_pins exclude each other", hint: "tokens may name a key with client_ca as well")
        }
        return .issued(byAuthoritiesIn: file)
    }

    func administration() throws(BrokerError) -> BrokerServer.Administration? {
        guard settings.admin != nil else { return nil }
        return BrokerServer.Administration(
            socket: try adminSocket(), certificates: try clientCertificates(),
            directory: try directory())
    }

    func transport() throws(BrokerError) -> (BrokerServer.Transport, warnings: [String]) {
        guard (settings.tlsCert == nil) == (settings.tlsKey == nil) else {
            throw BrokerError("tls_cert and tls_key go together")
        }
        let certificate = settings.tlsCert
        if settings.noTLS == true {
            guard certificate == nil else { throw BrokerError("no_tls and tls_cert exclude each other") }
            return (.plain, [])
        }
        let directory = try directory()
        guard let certificate, let key = settings.tlsKey else {
            guard try directory.publicDescription().tls != nil else {
                throw BrokerError(
                    "\(directory.path) has no TLS key of its own",
                    hint: "serve with --tls-cert CHAIN.pem --tls-key KEY.pem")
            }
            return (.own, [])
        }
        let isPinned = try directory.pins(certificate: certificate)
        let warning =
            "\(directory.publicFile) tells owners to pin another TLS key than \(certificate)'s: their guests will not connect"
        return (.tls(certificate: certificate, key: key), isPinned ? [] : [warning])
    }

    func checkTransport() throws(BrokerError) {
        let (transport, _) = try transport()
        switch transport {
        case .own: break
        case .plain: try BrokerServer.requireLoopback(socket())
        case .tls(let certificate, let key): _ = try BrokerServer.tls(certificate: certificate, key: key)
        }
    }

    var limits: BrokerLimits {
        var limits = BrokerLimits()
        limits.connections = settings.connections ?? limits.connections
        limits.connectionsPerClient = settings.connectionsPerClient ?? limits.connectionsPerClient
        limits.requestsPerSecond = settings.requestsPerSecond ?? limits.requestsPerSecond
        return limits
    }
}
