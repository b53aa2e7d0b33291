// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import HTTPClient
package import PinKit

/// Asks the broker for a nonce, behind the TLS key that the message pins, and reads the policy as the broker would.
///
/// The share itself is not asked for: what the next boot measures is not what runs now, and reports are rationed.
package struct BrokerProbe: Probe {
    /// What is wrong with the policy of a pin of this name; nil where nothing is.
    package typealias PolicyReader = @Sendable (_ pin: String, _ policy: JSON) -> String?

    package let pins = ["snp-attest", "tdx-attest"]
    private let policyProblem: PolicyReader

    package init(policyProblem: @escaping PolicyReader) { self.policyProblem = policyProblem }

    package func examine(_ message: JWE, in run: Run) -> [Finding] {
        if message.parameters?["mode"] == "kbs" { return KBSProbe().examine(message, in: run) }
        // Another mode than these has no broker.
        guard message.parameters?["mode"] == nil else { return TrialProbe().examine(message, in: run) }
        do throws(PinError) {
            let header = try Envelope(message).header
            return [try ask(header, before: run.deadline)] + judge(header)
        } catch {
            let remedy = error.code == .unavailable ? "start the broker, or see to the network" : nil
            return [Finding(failure: error, remedy: remedy)]
        }
    }

    private func ask(_ header: EnvelopeHeader, before deadline: Deadline) throws(PinError) -> Finding {
        let url = header.url.endpoint("auth")
        let request = AuthRequest(tee: header.platform)
        let response = try HTTPClient(tlsPin: header.tls).post(url, body: request.body, before: deadline)
        guard response.status == 200, (try? Challenge(body: response.body)) != nil else {
            throw PinError(.unavailable, step: "auth", detail: "\(url): not a broker's answer: HTTP \(response.status)")
        }
        return Finding(.ok, .pin, "the broker at \(header.url) answers; whether it gives the share, only the guest will see")
    }

    private func judge(_ header: EnvelopeHeader) -> [Finding] {
        guard let problem = policyProblem(header.platform.pin, header.policy) else { return [] }
        return [Finding(.warning, .policy, "its policy: \(problem)", remedy: "bind anew with a policy of now")]
    }
}
