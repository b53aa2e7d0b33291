// SPDX-License-Identifier: Apache-2.0

/// Why there is no answer.
struct HTTPFailure: Error {
    enum Kind {
        /// By the server, which may close a connection at any time between two answers (RFC 9112 §9.5).
        case closed
        /// It is not the one that is wanted, or says too much.
        case refused
        case other
    }

    let kind: Kind
    let reason: String

    init(_ kind: Kind, _ reason: String) {
        self.kind = kind
        self.reason = reason
    }

    init(_ problem: AnswerReader.Problem) {
        switch problem {
        case .tooLong: self.init(.refused, "the answer is longer than \(HTTPClient.maximumBody) bytes")
        case .malformed(let text): self.init(.other, "not an answer of HTTP/1: \(text)")
        }
    }
}
