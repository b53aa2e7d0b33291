// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import Glibc
internal import HTTPClient
internal import PinKit

/// A client that sends what a broker has to refuse, and sees to it that it does, with a reason.
final class Hostile {
    private enum Kind: String, CaseIterable {
        case tooLong = "10 MB"
        case noJSON = "no JSON"
        case strangeNonce = "another's nonce"
        case replayed = "replayed evidence"
        case otherKey = "another's evidence"

        /// The protocol's error (docs/spec/broker.md §5.1).
        var error: (status: Int, name: String) {
            switch self {
            case .tooLong: (413, "BodyTooLarge")
            case .noJSON: (400, "MalformedRequest")
            case .strangeNonce: (401, "NonceRefused")
            case .replayed, .otherKey: (403, "EvidenceRefused")
            }
        }
    }

    private let order: Guest.Order
    private var guest: Guest
    private let other: Guest
    private let oldReport: [UInt8]

    init(_ order: Guest.Order) throws {
        self.order = order
        guest = try Guest(order)
        other = try Guest(order)
        let nonce = try guest.askForNonce(before: .after(seconds: 30))
        oldReport = guest.report(for: nonce)
    }

    /// Sends `rate` a second, kind after kind.
    func run(rate: Int, seconds: Int) throws -> String {
        var counts: [String: Int64] = [:]
        let start = ContinuousClock.now
        for number in 0..<rate * seconds {
            let due = start + .seconds(Double(number) / Double(rate))
            while ContinuousClock.now < due { usleep(1000) }
            let kind = Kind.allCases[number % Kind.allCases.count]
            try send(kind)
            counts[kind.rawValue, default: 0] += 1
        }
        var result: JSONObject = [:]
        for kind in Kind.allCases { result["\(kind.rawValue): \(kind.error.name)"] = .integer(counts[kind.rawValue] ?? 0) }
        return JSON.object(result).compact
    }

    private func send(_ kind: Kind) throws {
        let deadline = Deadline.after(seconds: 30)
        let answer = try guest.post(body(kind, before: deadline), before: deadline)
        let name = (try? KBSError(body: answer.body))?.name ?? ""
        guard answer.status == kind.error.status, name == kind.error.name else {
            throw LoadError("\(kind.rawValue): \(answer.status) \(name)")
        }
        // The broker ends the connection.
        if kind == .tooLong { guest = try Guest(order) }
    }

    private func body(_ kind: Kind, before deadline: Deadline) throws -> [UInt8] {
        switch kind {
        case .tooLong: return [UInt8](repeating: UInt8(ascii: "["), count: 10 << 20)
        case .noJSON: return Array(#"{"tee":"snp","envelopes":["#.utf8)
        case .strangeNonce:
            let nonce = Base64.encode([UInt8](repeating: 7, count: Challenge.nonceCount))
            return guest.body(nonce, guest.report(for: nonce))
        case .replayed: return guest.body(try guest.askForNonce(before: deadline), oldReport)
        case .otherKey:
            let nonce = try guest.askForNonce(before: deadline)
            return guest.body(nonce, other.report(for: nonce))
        }
    }
}
