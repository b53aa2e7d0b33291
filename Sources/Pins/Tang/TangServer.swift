// SPDX-License-Identifier: Apache-2.0
internal import HTTPClient
internal import PinKit

/// A tang server's two requests, each with one answer. Errors name the step, `adv` or `rec`, and the address.
struct TangServer {
    private let url: String
    private let deadline: Deadline
    /// What is sent is public and what is answered is checked by whoever can: nothing here needs TLS, and most servers have none.
    private let client: HTTPClient

    /// `url` is `http` where it names no scheme, as curl takes it. Asks nothing yet, but begins what takes time before that: a
    /// tangd starts with a connection, and is longer at that than at an answer.
    init(url: String, deadline: Deadline) {
        self.url = TangServer.withScheme(url)
        self.deadline = deadline
        client = HTTPClient(connectingTo: self.url)
    }

    /// The same for who will ask the server at `url` after other work.
    static func prepare(url: String) { HTTPClient.prepare(for: withScheme(url)) }

    /// Leaves the connection to whoever asks the server next.
    func handOver() { client.handOver() }

    private static func withScheme(_ url: String) -> String {
        // Not contains("://"), which would bring the standard library's regular expressions along: 1.5 MB in an initrd.
        url.drop { $0 != ":" }.hasPrefix("://") ? url : "http://\(url)"
    }

    /// The advertisement that the key named `thumbprint` has signed, or the current one.
    func advertisement(signedBy thumbprint: String?) throws(PinError) -> Advertisement {
        let address = "\(url)/adv/\(thumbprint ?? "")"
        let response = try TangServer.request("adv", address) { () throws(PinError) in
            try client.get(address, before: deadline)
        }
        if response.status == 404, thumbprint != nil {
            throw PinError(.refused, step: "adv", detail: "\(address): HTTP 404: the server has no key with this thp")
        }
        let message = try TangServer.json(of: response, "adv", address)
        return try Advertisement(message, from: address)
    }

    /// The private key named `keyID` times `point`.
    func recover(_ point: CurvePoint, with keyID: String) throws(PinError) -> CurvePoint {
        let address = "\(url)/rec/\(keyID)"
        var jwk = point.jwk.object ?? [:]
        jwk["alg"] = "ECMR"
        let body = Array("\(JSON.object(jwk).canonical)\n".utf8)
        let response = try TangServer.request("rec", address) { () throws(PinError) in
            try client.post(address, body: body, contentType: "application/jwk+json", before: deadline)
        }
        if response.status == 404 {
            throw PinError(.refused, step: "rec", detail: "\(address): HTTP 404: the server no longer has this key: rebind")
        }
        let answer = try TangServer.json(of: response, "rec", address)
        do throws(JSONError) {
            return try CurvePoint(jwk: answer)
        } catch {
            throw PinError(.refused, step: "rec", detail: "\(address): not a tang server's answer: \(error)")
        }
    }

    private static func request(
        _ step: String, _ address: String, _ body: () throws(PinError) -> HTTPResponse
    ) throws(PinError) -> HTTPResponse {
        do throws(PinError) {
            return try body()
        } catch {
            // The client's own step is the method with the address, unless it never came so far.
            let place = error.step.hasSuffix(address) ? address : "\(address): \(error.step)"
            throw PinError(error.code, step: step, detail: "\(place): \(error.detail)")
        }
    }

    private static func json(of response: HTTPResponse, _ step: String, _ address: String) throws(PinError) -> JSON {
        guard response.status == 200 else {
            // A redirection or a server's own trouble may be over later; a no is a no.
            let code: PinError.Code = (400..<500).contains(response.status) ? .refused : .unavailable
            throw PinError(code, step: step, detail: "\(address): HTTP \(response.status)")
        }
        do throws(JSONError) {
            return try JSON(parsing: response.body, limit: Advertisement.maximumLength)
        } catch {
            throw PinError(.refused, step: step, detail: "\(address): not a tang server's answer: \(error)")
        }
    }
}
