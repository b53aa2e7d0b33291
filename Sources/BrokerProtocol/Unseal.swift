// SPDX-License-Identifier: Apache-2.0
public import PinKit

/// `POST /kbs/v0/unseal`: all envelopes of one guest with one piece of evidence.
public struct UnsealRequest: Message, Equatable {
    public static let maximumEnvelopes = 64
    /// 64 envelopes and the evidence, each at its own limit, in base64 and with room for the rest.
    public static let maximumLength = 768 << 10

    /// Compact texts, not read further: a bad one fails by itself and not with its neighbours.
    public let envelopes: [String]
    public let evidence: EvidenceDocument
    public let nonce: String
    /// Whom the answers are encrypted to; the evidence's report data covers it.
    public let guestKey: PublicKey

    public var tee: Platform { evidence.platform }

    /// `envelopes`: 1 to ``maximumEnvelopes``.
    public init(envelopes: [Envelope], evidence: EvidenceDocument, challenge: Challenge, guestKey: PublicKey) {
        self.envelopes = envelopes.map(\.message.compact)
        self.evidence = evidence
        self.nonce = challenge.nonce
        self.guestKey = guestKey
    }

    public init(_ json: JSON) throws(JSONError) {
        var reader = try JSONReader(json)
        let tee = try Platform(tee: try reader.string("tee"), at: "tee")
        envelopes = try reader.strings("envelopes")
        guard (1...UnsealRequest.maximumEnvelopes).contains(envelopes.count) else {
            throw reader.error(at: "envelopes", "must be 1 to \(UnsealRequest.maximumEnvelopes), not \(envelopes.count)")
        }
        evidence = try EvidenceDocument(try reader.reader("evidence"), of: tee)
        var runtimeData = try reader.reader("runtime-data")
        try reader.finish()
        nonce = try runtimeData.nonce("nonce")
        guestKey = try GuestKey.read(try runtimeData.required("tee-pubkey"), at: "runtime-data.tee-pubkey")
        try runtimeData.finish()
    }

    public var json: JSON {
        [
            "tee": .string(tee.rawValue),
            "envelopes": .array(envelopes.map { .string($0) }),
            "evidence": evidence.json,
            "runtime-data": ["nonce": .string(nonce), "tee-pubkey": GuestKey.write(guestKey)],
        ]
    }
}

/// `tee-pubkey`: a JWK with `alg`, exactly five members.
package enum GuestKey {
    package static func write(_ key: PublicKey) -> JSON {
        var members = key.jwk.object ?? [:]
        members["alg"] = "ECDH-ES+A256KW"
        return .object(members)
    }

    static func read(_ json: JSON, at place: String) throws(JSONError) -> PublicKey {
        let key = try PublicKey(jwk: json, at: place)
        guard write(key) == json else {
            throw JSONError(place: place, problem: "must hold alg ECDH-ES+A256KW, crv, kty, x and y only")
        }
        return key
    }
}

/// The answer to ``UnsealRequest``: one result per envelope, in the request's order.
public struct UnsealResponse: Message, Equatable {
    public static let maximumLength = 512 << 10

    public enum Result: Sendable, Equatable {
        /// See ``Answer``.
        case answer(JWE)
        case denied(Denial)
    }

    /// Why an envelope stays closed.
    public struct Denial: Sendable, Equatable {
        /// `.refused`, `.malformed` or `.unavailable`.
        public let code: PinError.Code
        /// One line for the guest's log: which predicate failed, what was expected and what came.
        public let reason: String

        /// Any other code becomes `.unavailable`: the broker's own trouble says nothing about the envelope.
        public init(_ code: PinError.Code, reason: String) {
            self.code = Denial.codes.contains(code) ? code : .unavailable
            self.reason = printable(reason)
        }

        static let codes: [PinError.Code] = [.refused, .malformed, .unavailable]
    }

    public let results: [Result]

    public init(results: [Result]) { self.results = results }

    public init(_ json: JSON) throws(JSONError) {
        var reader = try JSONReader(json)
        let elements = try reader.array("results")
        try reader.finish()
        guard elements.count <= UnsealRequest.maximumEnvelopes else {
            throw reader.error(at: "results", "more than \(UnsealRequest.maximumEnvelopes)")
        }
        var results: [Result] = []
        for (index, element) in elements.enumerated() {
            results.append(try Result(element, at: "results[\(index)]"))
        }
        self.results = results
    }

    public var json: JSON { ["results": .array(results.map(\.json))] }
}

extension UnsealResponse.Result {
    fileprivate init(_ json: JSON, at place: String) throws(JSONError) {
        var reader = try JSONReader(json, at: place)
        if let text = try reader.optionalString("jwe") {
            try reader.finish()
            self = .answer(try UnsealResponse.Result.message(text, at: "\(place).jwe"))
            return
        }
        var error = try reader.reader("error")
        try reader.finish()
        let code = PinError.Code(rawValue: try error.string("code"))
        guard UnsealResponse.Denial.codes.contains(code) else {
            throw error.error(at: "code", "must be refused, malformed or unavailable")
        }
        self = .denied(UnsealResponse.Denial(code, reason: try error.string("reason")))
        try error.finish()
    }

    private static func message(_ text: String, at place: String) throws(JSONError) -> JWE {
        guard text.utf8.count <= Answer.maximumLength else {
            throw JSONError(place: place, problem: "longer than \(Answer.maximumLength) characters")
        }
        do throws(PinError) {
            return try JWE(compact: text)
        } catch {
            throw JSONError(place: place, problem: error.detail)
        }
    }

    fileprivate var json: JSON {
        switch self {
        case .answer(let message): ["jwe": .string(message.compact)]
        case .denied(let denial):
            ["error": ["code": .string(denial.code.rawValue), "reason": .string(denial.reason)]]
        }
    }
}
