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
              cvm-clevis-broker serve --config /etc/cvm-clevis/broker.json
            """)

    @Argument(help: "The broker's directory; may stand in the configuration file.")
    var dir: String?

    @Option(
        help: ArgumentHelp(
            "JSON with these options as members, with _ for - (docs/spec/broker.md); options go before it.",
            valueName: "file"))
    var config: String?

    @Option(help: "ADDRESS:PORT; port 0 lets the system choose. By default 127.0.0.1:8443.")
    var listen: String?

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
            "Where VCEKs are asked for that evidence comes without: AMD's key service, which is the default, a mirror of it, or off.",
            valueName: "url"))
    var amdKds: String?

    @Option(
        help: ArgumentHelp(
            "Where collateral is asked for that --collateral does not give: Intel's service, which is the default, a cache of it (PCCS), or off.",
            valueName: "url"))
    var intelPcs: String?

    @Option(
        help: ArgumentHelp(
            "Serve /metrics, /healthz and /readyz here, in plain HTTP and to whoever can reach it.",
            valueName: "address:port"))
    var operations: String?

    @Option(help: ArgumentHelp("Connections that may be open at a time.", valueName: "number"))
    var connections: Int?

    @Option(
        help: ArgumentHelp(
            "The same of one client: an IPv4 address, or a /64 of IPv6; 0 for no limit.", valueName: "number"))
    var clientConnections: Int?

    @Option(
        help: ArgumentHelp(
            "Requests a second of one client, ten times as many at once; 0 for no limit, as behind a proxy.",
            valueName: "number"))
    var clientRate: Int?

    @Option(
        help: ArgumentHelp(
            "DANGER: also believe this simulator's evidence (cvm-tee-sim trust). For trying things out.", valueName: "dir"))
    var trustSimulator: String?

    func validate() throws {
        guard (tlsCert == nil) == (tlsKey == nil) else { throw ValidationError("--tls-cert and --tls-key go together") }
        guard !noTLS || tlsCert == nil else { throw ValidationError("--no-tls and --tls-cert exclude each other") }
        guard dir != nil || config != nil else { throw ValidationError("missing the broker's directory, or --config FILE") }
        try check(connections, "--connections", from: 1)
        try check(clientConnections, "--client-connections", from: 0)
        try check(clientRate, "--client-rate", from: 0)
    }

    private func check(_ number: Int?, _ name: String, from least: Int) throws {
        guard let number, !(least...1_000_000).contains(number) else { return }
        throw ValidationError("\(name) must be from \(least) to 1000000, not \(number)")
    }

    func run() async throws {
        let settings = try config.map { try options.or(Self.read($0)) } ?? options
        let service = try BrokerService(settings, sockets: ListeningSocket.inherited())
        for warning in service.warnings { printError("cvm-clevis-broker: warning: \(warning)") }
        if let directory = settings.trustSimulator { warnAboutSimulator(directory) }
        try RefValues.warn(of: Store(in: service.directory).references())
        try await service.run { url in printNow("listening on \(url)") }
    }

    private var options: ServeSettings {
        var settings = ServeSettings()
        settings.directory = dir
        settings.listen = listen
        settings.operations = operations
        settings.tlsCert = tlsCert
        settings.tlsKey = tlsKey
        settings.noTLS = noTLS ? true : nil
        settings.minimumTCB = minimumTcb.isEmpty ? nil : minimumTcb
        settings.collateral = collateral.isEmpty ? nil : collateral
        settings.revocationLists = revocationList.isEmpty ? nil : revocationList
        settings.amdKeyService = amdKds
        settings.intelCollateralService = intelPcs
        settings.trustSimulator = trustSimulator
        settings.connections = connections
        settings.connectionsPerClient = clientConnections
        settings.requestsPerSecond = clientRate
        return settings
    }

    /// A file without problems.
    private static func read(_ path: String) throws -> ServeSettings {
        let file = try ConfigurationFile(at: path)
        if let problem = file.problems.first {
            throw BrokerError(
                "\(path):\(problem.line): \(problem.message)", hint: "all that is wrong: cvm-clevis-broker check \(path)")
        }
        return file.settings
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
