// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Broker

struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Answer guests until SIGTERM or SIGINT.",
        discussion: """
            Prints one line on standard output when it accepts connections; requests and decisions go to standard error, one JSON
            object each, and decisions into the audit log. Other commands may be used on DIR meanwhile, and take effect at once.

            Example:
              cvm-clevis-broker serve /srv/broker --listen 0.0.0.0:8443 --minimum-tcb genoa=0a00000000000e4d
            """)

    @OptionGroup var target: DirectoryArgument

    @Option(help: "ADDRESS:PORT; port 0 lets the system choose.")
    var listen = "127.0.0.1:8443"

    @Option(help: ArgumentHelp("PEM file: certificate chain, leaf first, in place of the self-made one.", valueName: "file"))
    var tlsCert: String?

    @Option(help: ArgumentHelp("PEM file: the key of --tls-cert.", valueName: "file"))
    var tlsKey: String?

    @Flag(help: "Plain HTTP; for loopback addresses only.")
    var noTLS = false

    @Option(
        help: ArgumentHelp(
            "A product's lowest TCB, 16 hex digits as in a report, or TDX's lowest evaluation number; once per product.",
            valueName: "product=tcb"))
    var minimumTcb: [String] = []

    @Option(
        help: ArgumentHelp(
            "Intel's collateral for one kind of TDX platform (docs/spec/broker.md); may be given more than once.",
            valueName: "dir"))
    var collateral: [String] = []

    @Option(
        help: ArgumentHelp(
            "AMD's revocation list of one product, in DER (docs/spec/broker.md); may be given more than once.",
            valueName: "file"))
    var revocationList: [String] = []

    @Option(
        help: ArgumentHelp(
            "Where VCEKs are asked for that evidence comes without: AMD's key service or a mirror of it; off to ask nobody.",
            valueName: "url"))
    var amdKds = BrokerConfiguration.officialKeyService

    @Option(
        help: ArgumentHelp(
            "Serve /metrics, /healthz and /readyz here, in plain HTTP and to whoever can reach it.",
            valueName: "address:port"))
    var operations: String?

    @Option(help: "Connections that may be open at a time.")
    var connections = BrokerLimits().connections

    @Option(help: "The same of one client: an IPv4 address, or a /64 of IPv6; 0 for no limit.")
    var clientConnections = BrokerLimits().connectionsPerClient

    @Option(help: "Requests a second of one client, ten times as many at once; 0 for no limit, as behind a proxy.")
    var clientRate = BrokerLimits().requestsPerSecond

    @Option(
        help: ArgumentHelp(
            "DANGER: also believe this simulator's evidence (cvm-tee-sim trust). For trying things out.", valueName: "dir"))
    var trustSimulator: String?

    func validate() throws {
        guard (tlsCert == nil) == (tlsKey == nil) else { throw ValidationError("--tls-cert and --tls-key go together") }
        guard (1...1_000_000).contains(connections) else { throw ValidationError("--connections: 1 to 1000000") }
        guard (0...1_000_000).contains(clientConnections) else {
            throw ValidationError("--client-connections: 0 to 1000000")
        }
        guard (0...1_000_000).contains(clientRate) else { throw ValidationError("--client-rate: 0 to 1000000") }
        guard !noTLS || tlsCert == nil else { throw ValidationError("--no-tls and --tls-cert exclude each other") }
    }

    func run() async throws {
        let configuration = BrokerConfiguration(
            directory: target.directory, minimumTCB: minimumTcb, simulatorTrust: trustSimulator, collateral: collateral,
            revocationLists: revocationList, amdKeyService: amdKds == "off" ? nil : amdKds)
        let metrics = Metrics()
        let unsealer = try configuration.makeUnsealer(counting: metrics)
        let server = try BrokerServer(
            unsealer, counting: metrics, socket: .address(ListenAddress(listen)), transport: transport(),
            operations: operations.map { (text) throws(BrokerError) in .address(try ListenAddress(text)) }, limits: limits)
        if let trustSimulator { warnAboutSimulator(trustSimulator) }
        try RefValues.warn(of: Store(in: target.directory).references())
        try await server.run { url in printNow("listening on \(url)") }
    }

    private var limits: BrokerLimits {
        var limits = BrokerLimits()
        limits.connections = connections
        limits.connectionsPerClient = clientConnections
        limits.requestsPerSecond = clientRate
        return limits
    }

    private func transport() throws -> BrokerServer.Transport {
        if noTLS { return .plain }
        if let tlsCert, let tlsKey {
            if try !target.directory.pins(certificate: tlsCert) {
                printError(
                    "cvm-clevis-broker: warning: \(target.directory.publicFile) tells owners to pin another TLS key than \(tlsCert)'s: their guests will not connect"
                )
            }
            return .tls(certificate: tlsCert, key: tlsKey)
        }
        return try target.directory.selfMadeTLS()
    }

    private func warnAboutSimulator(_ directory: String) {
        printError(
            """
            ***************************************************************************
            ** WARNING: this broker believes a SIMULATOR.                            **
            ** Anybody can make its evidence: every share that this broker can open  **
            ** goes to whoever asks for it. For tests and demonstrations only.       **
            ***************************************************************************
            trusted: \(directory)
            """)
    }
}
