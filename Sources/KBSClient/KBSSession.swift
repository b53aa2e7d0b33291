// SPDX-License-Identifier: Apache-2.0
package import BrokerProtocol
internal import HTTPClient
package import PinKit

/// Where resources are, and how that server is known.
package struct KBSServer: Sendable, Equatable {
    package let url: BrokerURL
    package let trust: ServerTrust
    /// The only version of the protocol to be spoken; nil for the one that the server takes.
    package let version: KBSVersion?

    package init(url: BrokerURL, trust: ServerTrust, version: KBSVersion? = nil) {
        self.url = url
        self.trust = trust
        self.version = version
    }
}

/// A guest among whatever it attests with and asks over.
package struct KBSGuest: Sendable {
    let platform: Platform
    let reporter: any EvidenceReporter
    let transport: any Transport
    let deadline: Deadline

    package init(
        _ platform: Platform, reporter: any EvidenceReporter, transport: any Transport, before deadline: Deadline
    ) {
        self.platform = platform
        self.reporter = reporter
        self.transport = transport
        self.deadline = deadline
    }
}

/// The guest's side of the KBS protocol: one piece of evidence, then as many resources as are wanted (docs/spec/pins.md §9).
struct KBSSession {
    /// Handshakes at most, where a server does not know a session any more that it has just begun.
    private static let attempts = 3

    let guest: KBSGuest
    let server: KBSServer

    /// Calls `deliver` once for each of `resources`, which are paths (`default/disk/root`).
    func fetch(_ resources: [String], deliver: (Int, consuming Recovered) -> Void) {
        var pending = Array(resources.indices)
        for attempt in 1...Self.attempts {
            do throws(PinError) {
                let (endpoint, key) = try attest()
                var lost: [Int] = []
                for index in pending {
                    let recovered = Recovered { () throws(PinError) in
                        try get("resource/\(resources[index])", endpoint, key) { lost.append(index) }
                    }
                    if lost.last != index || attempt == Self.attempts { deliver(index, recovered) }
                }
                if lost.isEmpty { return }
                pending = lost
            } catch {
                for index in pending { deliver(index, .failure(error)) }
                return
            }
        }
    }

    /// `lose` is called where a new session may do better.
    private func get(
        _ path: String, _ endpoint: KBSEndpoint, _ key: SessionKey, lose: () -> Void
    ) throws(PinError) -> SecretBytes {
        let response = try endpoint.send(path)
        guard response.status == 200 else {
            if response.status == 401, !Self.isDecision(response.body) { lose() }
            throw endpoint.error(of: response, to: path)
        }
        do throws(PinError) {
            return try key.open(response.body)
        } catch {
            throw error.at(path, server.url.text)
        }
    }

    /// Trustee has 401 for what another session would not change, too: the names tell.
    private static func isDecision(_ body: [UInt8]) -> Bool {
        guard let name = (try? KBSError(body: body))?.name else { return false }
        return name == KBSError.Variant.policyDeny.name || name == "PluginInternalError"
    }

    private func attest() throws(PinError) -> (KBSEndpoint, SessionKey) {
        let endpoint = try KBSEndpoint(
            server.url, trusting: server.trust, by: guest.transport, before: guest.deadline)
        let (version, challenge) = try begin(endpoint)
        let key = try SessionKey(for: version)
        let message: AttestMessage
        do throws(JSONError) {
            message = try AttestMessage(challenge, for: key.jwk, of: version)
        } catch {
            throw endpoint.unexpected(error.description, to: "auth")
        }
        guard let data = message.reportData else { throw endpoint.unexpected("it wants another hash", to: "auth") }
        let body: [UInt8]?
        do throws(PinError) {
            body = message.body(try guest.reporter.report(for: data, before: guest.deadline))
        } catch {
            throw error.at("report", server.url.text)
        }
        guard let body else { throw PinError(.failed, detail: "the platform gave no report").at("report", server.url.text) }
        _ = try endpoint.ask("attest", body)
        return (endpoint, key)
    }

    /// A server takes one version, and says no more of the others than that it does not: so it is asked for one after another.
    private func begin(_ endpoint: KBSEndpoint) throws(PinError) -> (KBSVersion, [UInt8]) {
        var versions = server.version.map { [$0] } ?? [.v0_4_0, .v0_2_0, .v0_1_1]
        while true {
            let version = versions.removeFirst()
            let request: JSON = [
                "version": .string(version.rawValue), "tee": .string(guest.platform.rawValue),
                "extra-params": ["supported-hash-algorithms": ["sha256", "sha384", "sha512"]],
            ]
            let response = try endpoint.send("auth", Array(request.compact.utf8))
            if response.status == 200 { return (version, response.body) }
            guard response.status == 400 || response.status == 401, !versions.isEmpty else {
                throw endpoint.error(of: response, to: "auth")
            }
        }
    }
}
