// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import KBSClient
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
        let (key, endpoint) = try prepare()
        let challenge = try ask("auth", AuthRequest(tee: platform), of: endpoint, as: Challenge.self)
        let evidence = try report(challenge, key)
        let unseal = UnsealRequest(
            envelopes: request.envelopes, evidence: evidence, challenge: challenge, guestKey: key.publicKey)
        let response = try ask("unseal", unseal, of: endpoint, as: UnsealResponse.self)
        guard response.results.count == request.envelopes.count else {
            let counts = "\(response.results.count) results for \(request.envelopes.count) envelopes"
            throw endpoint.unexpected(counts, to: "unseal")
        }
        return Answers(request: request, results: response.results, key: key)
    }

    private func prepare() throws(PinError) -> (AgreementKey, KBSEndpoint) {
        let endpoint = try KBSEndpoint(
            request.url, trusting: ServerTrust(tlsPin: request.tls), by: transport, before: deadline)
        do throws(PinError) {
            return (try AgreementKey.generate(), endpoint)
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

    private func ask<Reply: Message>(
        _ step: String, _ message: some Message, of endpoint: KBSEndpoint, as reply: Reply.Type
    ) throws(PinError) -> Reply {
        let body = try endpoint.ask(step, message.body)
        do throws(JSONError) {
            return try Reply(body: body)
        } catch {
            throw endpoint.unexpected(error.description, to: step)
        }
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
