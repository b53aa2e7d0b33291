// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import HTTPClient
package import PinKit

/// Asks the servers of a message whose key is a resource whether they speak the KBS protocol: of pin `trustee`, and of mode *kbs* of the
/// attested pins. One that answers is enough. The resource itself is for guests only.
package struct KBSProbe: Probe {
    private struct Server {
        let url: String
        let tls: [UInt8]?
        let authorities: String
        let version: KBSVersion?
    }

    package let pins = ["trustee"]

    package init() {}

    package func examine(_ message: JWE, in run: Run) -> [Finding] {
        var failure: PinError?
        for server in servers(of: message) {
            do throws(PinError) {
                try ask(server, message.pin == "tdx-attest" ? .tdx : .snp, before: run.deadline)
                let text = "the server at \(server.url) answers; whether it gives the resource, only the guest will see"
                return [Finding(.ok, .pin, text)]
            } catch {
                failure = error
            }
        }
        let error = failure ?? PinError(.malformed, step: "read a header", detail: "it names no server")
        let remedy = error.code == .unavailable ? "start the server, or see to the network" : nil
        return [Finding(failure: error, remedy: remedy)]
    }

    private func servers(of message: JWE) -> [Server] {
        let listed = message.header["clevis"]?["servers"]?.array ?? message.parameters.map { [$0] } ?? []
        return listed.map { server in
            Server(
                url: server["url"]?.string ?? "", tls: server["tls"]?.string.flatMap { Base64URL.decode($0) },
                authorities: server["cert"]?.string ?? "",
                version: server["version"]?.string.flatMap { KBSVersion(rawValue: $0) })
        }
    }

    /// A server that takes another version says no in the protocol's own words: that is an answer, too.
    private func ask(_ server: Server, _ platform: Platform, before deadline: Deadline) throws(PinError) {
        var address = server.url
        while address.hasSuffix("/") { address.removeLast() }
        let client = try HTTPClient(tlsPin: server.tls, authorities: Array(server.authorities.utf8), allowsPlainHTTP: true)
        let request = AuthRequest(tee: platform, version: server.version ?? .v0_4_0)
        let response = try client.post("\(address)/kbs/v0/auth", body: request.body, before: deadline)
        let speaks =
            response.status == 200
            ? (try? JSON(parsing: response.body))?["nonce"] != nil
            : server.version == nil && (try? KBSError(body: response.body)) != nil
        guard speaks else {
            throw PinError(.unavailable, step: "auth", detail: "\(address): not a KBS' answer: HTTP \(response.status)")
        }
    }
}
