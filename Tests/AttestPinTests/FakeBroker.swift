// SPDX-License-Identifier: Apache-2.0
import AttestPin
import BrokerProtocol
import HTTPClient
import KBSClient
import PinKit
import Synchronization

/// A platform that signs report data with a key of its own, as hardware would, and counts.
final class FakePlatform: EvidenceReporter {
    private let key: SigningKey
    private let made = Mutex(0)
    /// What a machine without the TEE says.
    let absence: PinError?
    let platform: Platform
    /// What comes with the report: certificates, or an event log.
    let appendix: [UInt8]

    init(_ platform: Platform = .snp, absence: PinError? = nil, appendix: [UInt8] = []) throws {
        self.key = try .generate()
        self.platform = platform
        self.absence = absence
        self.appendix = appendix
    }

    var reports: Int { made.withLock { $0 } }

    func requirePlatform() throws(PinError) {
        if let absence { throw absence }
    }

    func report(for data: [UInt8], before deadline: Deadline) throws(PinError) -> EvidenceDocument {
        made.withLock { $0 += 1 }
        let report = data + (try key.sign(data))
        switch platform {
        case .snp: return .snp(report: report, certificates: appendix)
        case .tdx: return .tdx(quote: report, eventLog: appendix)
        }
    }

    /// Whether `evidence` is this platform's over `data`.
    func vouches(for data: [UInt8], with evidence: EvidenceDocument) -> Bool {
        let report =
            switch evidence {
            case .snp(let report, certificates: appendix), .tdx(let report, eventLog: appendix): report
            default: [UInt8]()
            }
        return evidence.platform == platform && report.starts(with: data)
            && key.publicKey.verifies(Array(report.dropFirst(data.count)), over: data)
    }
}

/// A broker without a socket that does all of the mathematics: nonce, report data, envelopes, signatures, answers.
final class FakeBroker: Connection, Sendable {
    /// What it does wrong, or is told to do.
    enum Manner: Sendable {
        case honest
        case denying(position: Int, reason: String)
        /// Answers are right, but stand in each other's place.
        case mixingUp
        case forgetting
        case status(Int, at: String)
        case babbling(at: String)
    }

    let key: AgreementKey
    let manner: Manner
    private let owner: PublicKey
    private let platform: FakePlatform
    private let requests = Mutex<[String]>([])
    private let nonce: [UInt8]

    init(owner: PublicKey, platform: FakePlatform, manner: Manner = .honest) throws {
        self.key = try .generate()
        self.owner = owner
        self.platform = platform
        self.manner = manner
        self.nonce = try Random.bytes(32)
    }

    /// The addresses it was asked at, in order.
    var log: [String] { requests.withLock { $0 } }

    func send(_ body: [UInt8]?, to url: String, before deadline: Deadline) throws(PinError) -> HTTPResponse {
        let body = body ?? []
        requests.withLock { $0.append(url) }
        let step = String(url.split(separator: "/").last ?? "")
        switch manner {
        case .status(let status, step):
            return HTTPResponse(status: status, body: KBSError(.evidenceRefused, detail: "told to").body)
        case .babbling(step): return HTTPResponse(status: 200, body: Array("<html>".utf8))
        default: break
        }
        do {
            return HTTPResponse(status: 200, body: step == "auth" ? try challenge(body) : try unseal(body))
        } catch let error as JSONError {
            return HTTPResponse(status: 400, body: KBSError(.malformedRequest, detail: error.description).body)
        } catch {
            return HTTPResponse(status: 403, body: KBSError(.evidenceRefused, detail: "\(error)").body)
        }
    }

    private func challenge(_ body: [UInt8]) throws -> [UInt8] {
        guard try AuthRequest(body: body).tee == platform.platform else {
            throw PinError(.refused, step: "auth", detail: "of another TEE")
        }
        return Challenge(nonce: nonce).body
    }

    private func unseal(_ body: [UInt8]) throws -> [UInt8] {
        let request = try UnsealRequest(body: body)
        let data = request.reportData(broker: key.publicKey.thumbprint)
        guard request.nonce == Challenge(nonce: nonce).nonce, platform.vouches(for: data, with: request.evidence) else {
            throw PinError(.refused, step: "evidence", detail: "report data is not this request's")
        }
        var results: [UnsealResponse.Result] = []
        for (position, text) in request.envelopes.enumerated() {
            results.append(judge(text, position, guest: request.guestKey))
        }
        if case .mixingUp = manner { results.reverse() }
        if case .forgetting = manner { results.removeLast() }
        return UnsealResponse(results: results).body
    }

    private func judge(_ text: String, _ position: Int, guest: PublicKey) -> UnsealResponse.Result {
        if case .denying(position, let reason) = manner { return .denied(.init(.refused, reason: reason)) }
        do throws(PinError) {
            let envelope = try Envelope(compact: text)
            let share = try envelope.open(with: key).share(signedBy: owner)
            return .answer(try Answer.seal(share, to: guest, answering: envelope))
        } catch {
            return .denied(.init(error.code, reason: error.description))
        }
    }
}

/// Leads to brokers by their TLS key, so that a wrong pin leads nowhere.
struct BrokerNetwork: Transport {
    func prepare() {}

    let brokers: [[UInt8]: FakeBroker]

    func connect(trusting trust: ServerTrust) throws(PinError) -> any Connection {
        guard let tlsPin = trust.tlsPin, let broker = brokers[tlsPin] else {
            throw PinError(.unavailable, step: "connect", detail: "no such broker")
        }
        return broker
    }
}
