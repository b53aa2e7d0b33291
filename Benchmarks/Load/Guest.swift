// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import Glibc
internal import HTTPClient
internal import PinKit

/// A guest that asks over and over: one connection that is kept, or a new one each time. For use by one thread at a time.
final class Guest {
    struct Order: Sendable {
        let url: String
        let pin: [UInt8]?
        let broker: PublicKey
        /// Compact.
        let envelope: String
        let isConnectionKept: Bool
        let reports: SharedReports
        /// Seconds for one handshake.
        var patience = 30
    }

    private let order: Order
    private var client: HTTPClient
    private let key: AgreementKey
    private let envelopeDigest: [UInt8]
    /// The request around nonce and report.
    private let parts: (head: [UInt8], middle: [UInt8], tail: [UInt8])
    private static let auth = AuthRequest(tee: .snp).body

    init(_ order: Order) throws {
        self.order = order
        client = try HTTPClient(tlsPin: order.pin)
        key = try AgreementKey.generate()
        envelopeDigest = Digest.sha256(Array(order.envelope.utf8))
        let (nonce, report) = ("NONCE", "REPORT")
        let template: JSON = [
            "tee": "snp", "envelopes": [.string(order.envelope)],
            "runtime-data": [
                "nonce": .string(nonce),
                "tee-pubkey": [
                    "alg": "ECDH-ES+A256KW", "crv": "P-256", "kty": "EC", "x": .string(Base64URL.encode(key.publicKey.x)),
                    "y": .string(Base64URL.encode(key.publicKey.y)),
                ],
            ],
            "evidence": ["report": .string(report), "certificates": .string(Base64.encode(order.reports.certificates))],
        ]
        let text = Array(template.compact.utf8)
        let first = try Self.range(of: nonce, in: text)
        let second = try Self.range(of: report, in: text)
        parts = (
            Array(text[..<first.lowerBound]), Array(text[first.upperBound..<second.lowerBound]),
            Array(text[second.upperBound...])
        )
    }

    private static func range(of word: String, in text: [UInt8]) throws -> Range<Int> {
        let word = Array("\"\(word)\"".utf8)
        guard let start = text.indices.first(where: { text[$0...].starts(with: word) }) else {
            throw LoadError("no \(word)")
        }
        return start + 1..<start + word.count - 1
    }

    /// One handshake, both requests of it; throws unless the envelope was opened.
    func handshake() throws {
        if !order.isConnectionKept { client = try HTTPClient(tlsPin: order.pin) }
        let deadline = Deadline.after(seconds: order.patience)
        let nonce = try askForNonce(before: deadline)
        let answer = try post(body(nonce, report(for: nonce)), before: deadline)
        guard answer.status == 200 else {
            throw LoadError("unseal: \(answer.status) \((try? KBSError(body: answer.body))?.detail ?? "")")
        }
        guard case .answer = try UnsealResponse(body: answer.body).results.first else { throw LoadError("not granted") }
    }

    func askForNonce(before deadline: Deadline) throws -> String {
        let auth = try client.post(order.url + "/kbs/v0/auth", body: Self.auth, before: deadline)
        guard auth.status == 200 else { throw LoadError("auth: \(auth.status)") }
        return try Challenge(body: auth.body).nonce
    }

    /// A report for this guest's request.
    func report(for nonce: String) -> [UInt8] {
        order.reports.report(
            over: ReportData.digest(
                broker: order.broker.thumbprint, envelopes: [envelopeDigest], nonce: nonce, tee: .snp,
                guestKey: key.publicKey))
    }

    func body(_ nonce: String, _ report: [UInt8]) -> [UInt8] {
        parts.head + Array(nonce.utf8) + parts.middle + Array(Base64.encode(report).utf8) + parts.tail
    }

    func post(_ body: [UInt8], before deadline: Deadline) throws -> HTTPResponse {
        try client.post(order.url + "/kbs/v0/unseal", body: body, before: deadline)
    }
}
