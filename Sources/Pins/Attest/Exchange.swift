// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import HTTPClient
internal import PinKit

/// One exchange with one broker: a nonce, one report over it and all envelopes, the answers (docs/spec/envelope.md §2).
struct Exchange {
    /// Envelopes that one report can serve: of one broker key, at one address, behind one TLS key.
    struct Request {
        let url: BrokerURL
        let brokerKeyID: String
        let tls: [UInt8]?
        /// Where each envelope stands among the messages of the run.
        private(set) var indices: [Int] = []
        private(set) var envelopes: [Envelope] = []

        init(like header: EnvelopeHeader) {
            url = header.url
            brokerKeyID = header.brokerKeyID
            tls = header.tls
        }

        /// Puts `envelope` with those that go where it goes.
        static func add(_ envelope: Envelope, at index: Int, to requests: inout [Request]) {
            let fitting = requests.firstIndex { $0.takes(envelope.header) }
            if fitting == nil { requests.append(Request(like: envelope.header)) }
            let position = fitting ?? requests.count - 1
            requests[position].indices.append(index)
            requests[position].envelopes.append(envelope)
        }

        private func takes(_ header: EnvelopeHeader) -> Bool {
            envelopes.count < UnsealRequest.maximumEnvelopes && url == header.url && brokerKeyID == header.brokerKeyID
                && tls == header.tls
        }
    }

    private let request: Request
    private let platform: Platform
    private let reporter: any EvidenceReporter
    private let transport: any Transport
    private let deadline: Deadline

    init(
        _ request: Request, on platform: Platform, reporter: any EvidenceReporter, transport: any Transport,
        deadline: Deadline
    ) {
        self.request = request
        self.platform = platform
        self.reporter = reporter
        self.transport = transport
        self.deadline = deadline
    }

    /// The broker's answers, in order, with the one-time key that opens them.
    func run() throws(PinError) -> Answers {
        let (key, connection) = try prepare()
        let challenge = try post(AuthRequest(tee: platform), to: "auth", as: Challenge.self, on: connection)
        let evidence = try report(challenge, key)
        let unseal = UnsealRequest(
            envelopes: request.envelopes, evidence: evidence, challenge: challenge, guestKey: key.publicKey)
        let response = try post(unseal, to: "unseal", as: UnsealResponse.self, on: connection)
        guard response.results.count == request.envelopes.count else {
            let counts = "\(response.results.count) results for \(request.envelopes.count) envelopes"
            throw Exchange.unexpected(counts).at("unseal", request.url.endpoint("unseal"))
        }
        return Answers(request: request, results: response.results, key: key)
    }

    private func prepare() throws(PinError) -> (AgreementKey, any Connection) {
        do throws(PinError) {
            return (try AgreementKey.generate(), try transport.connect(tlsPin: request.tls))
        } catch {
            throw error.at("auth", request.url.text)
        }
    }

    private func report(_ challenge: Challenge, _ key: AgreementKey) throws(PinError) -> EvidenceDocument {
        let data = ReportData.digest(
            broker: request.brokerKeyID, envelopes: request.envelopes.map(\.message.digest), nonce: challenge.nonce,
            tee: platform, guestKey: key.publicKey)
        let evidence: EvidenceDocument
        do throws(PinError) {
            evidence = try reporter.report(for: data, before: deadline)
        } catch {
            throw error.at("report", request.url.text)
        }
        guard evidence.isWithinLimits else {
            throw PinError(.failed, detail: "it is more than a broker takes").at("report", request.url.text)
        }
        return evidence
    }

    /// One request of the exchange: `step` is its last part of the address, and what errors say.
    private func post<Reply: Message>(
        _ message: some Message, to step: String, as reply: Reply.Type, on connection: any Connection
    ) throws(PinError) -> Reply {
        let url = request.url.endpoint(step)
        let response: HTTPResponse
        do throws(PinError) {
            response = try connection.post(url, body: message.body, before: deadline)
        } catch {
            throw error.at(step)
        }
        guard response.status == 200 else { throw Exchange.error(of: response).at(step, url) }
        do throws(JSONError) {
            return try Reply(body: response.body)
        } catch {
            throw Exchange.unexpected(error.description).at(step, url)
        }
    }

    /// Something else than a broker answers there: a proxy, a captive portal. Later it may be a broker.
    private static func unexpected(_ detail: String) -> PinError {
        PinError(.unavailable, detail: "not a broker's answer: \(detail)")
    }

    private static func error(of response: HTTPResponse) -> PinError {
        let code: PinError.Code =
            switch response.status {
            case 400, 413: .malformed
            case 403: .refused
            // 401: the nonce has expired, and a new exchange may be quicker.
            default: .unavailable
            }
        var detail = "HTTP \(response.status)"
        if let said = try? KBSError(body: response.body) { detail += " \(said.name): \(said.detail)" }
        return PinError(code, detail: detail)
    }
}

/// What a broker answered, and the key that opens it.
struct Answers {
    let request: Exchange.Request
    let results: [UnsealResponse.Result]
    let key: AgreementKey

    func share(at position: Int) throws(PinError) -> SecretBytes {
        do throws(PinError) {
            switch results[position] {
            case .answer(let message):
                return try Answer.open(message, with: key, answering: request.envelopes[position])
            case .denied(let denial):
                throw PinError(denial.code, detail: denial.reason)
            }
        } catch {
            throw error.at("unseal", request.url.text)
        }
    }
}

extension PinError {
    /// The same error as one of `step`, with what it was about: `unseal: https://…: vmpl is 2, not 0`.
    func at(_ step: String, _ place: String = "") -> PinError {
        let parts = [place, self.step, detail].filter { !$0.isEmpty }
        return PinError(code, path: path, step: step, detail: parts.joined(separator: ": "))
    }
}
