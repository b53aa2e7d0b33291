// SPDX-License-Identifier: Apache-2.0
package import BrokerProtocol
package import HTTPClient
package import PinKit

/// A broker that is asked for several things over one connection. Its errors say at which step and address.
package struct KBSEndpoint {
    private let url: BrokerURL
    private let connection: any Connection
    private let deadline: Deadline

    /// Contacts nobody yet.
    package init(
        _ url: BrokerURL, trusting trust: ServerTrust, by transport: any Transport, before deadline: Deadline
    ) throws(PinError) {
        self.url = url
        self.deadline = deadline
        do throws(PinError) {
            connection = try transport.connect(trusting: trust)
        } catch {
            throw error.at("auth", url.text)
        }
    }

    /// The body of an answer to `path` (`auth`), which is what errors call the step. A GET where there is no body, else a POST.
    package func ask(_ path: String, _ body: [UInt8]? = nil) throws(PinError) -> [UInt8] {
        let response = try send(path, body)
        guard response.status == 200 else { throw error(of: response, to: path) }
        return response.body
    }

    /// An answer, whatever its status.
    package func send(_ path: String, _ body: [UInt8]? = nil) throws(PinError) -> HTTPResponse {
        do throws(PinError) {
            return try connection.send(body, to: url.endpoint(path), before: deadline)
        } catch {
            throw error.at(path)
        }
    }

    /// Something else than a broker answers there: a proxy, a captive portal. Later it may be a broker.
    package func unexpected(_ detail: String, to path: String) -> PinError {
        PinError(.unavailable, detail: "not a broker's answer: \(detail)").at(path, url.endpoint(path))
    }

    package func error(of response: HTTPResponse, to path: String) -> PinError {
        let said = try? KBSError(body: response.body)
        let code: PinError.Code =
            switch response.status {
            case 400, 413: .malformed
            case 403: .refused
            // Trustee has this status for nearly everything.
            case 401 where said?.name == KBSError.Variant.policyDeny.name: .refused
            // 401: the nonce has expired, and a new exchange may be quicker.
            default: .unavailable
            }
        var detail = "HTTP \(response.status)"
        if let said { detail += " \(said.name): \(said.detail)" }
        return PinError(code, detail: detail).at(path, url.endpoint(path))
    }
}

extension PinError {
    /// The same error as one of `step`, with what it was about: `unseal: https://…: vmpl is 2, not 0`.
    package func at(_ step: String, _ place: String = "") -> PinError {
        let parts = [place, self.step, detail].filter { !$0.isEmpty }
        return PinError(code, path: path, step: step, detail: parts.joined(separator: ": "))
    }
}
