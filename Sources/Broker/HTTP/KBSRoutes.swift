// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import HTTPTypes
internal import Hummingbird
internal import NIOPosix
internal import PinKit

/// The paths of the KBS protocol beyond `auth` (docs/spec/broker.md §7).
extension Routes {
    static let sessionCookie = "kbs-session-id"

    /// No Expires: a guest in its initrd has the wrong time and would drop the cookie at once. No Path: by default it is that of
    /// the protocol.
    static func cookie(_ value: String) -> String { "\(sessionCookie)=\(value)" }

    func attest(_ request: Request, _ context: BrokerRequestContext) async throws -> Response {
        let body = try await body(of: request, upTo: AttestRequest.maximumLength)
        let cookie = Self.session(in: request)
        let remote = context.remote
        let desk = unsealer.resources
        let attestation = try await gate.pass(bytes: body.count) {
            try await threads.runIfActive { try desk.read(body, cookie: cookie, at: clock()) }
        }
        try await desk.prepare(attestation, at: clock())
        let (token, session) = try await gate.pass(bytes: body.count) {
            try await threads.runIfActive { try desk.attest(attestation, from: remote, at: clock()) }
        }
        let answer: JSON = ["token": .string(token)]
        var response = Response.json(Array(answer.canonical.utf8))
        response.headers[.setCookie] = Self.cookie(session)
        return response
    }

    func resource(_ request: Request, _ context: BrokerRequestContext) async throws -> Response {
        let path = request.uri.path.split(separator: "/", omittingEmptySubsequences: false).suffix(3).joined(separator: "/")
        let credential = Self.credential(in: request)
        let remote = context.remote
        let released = try await gate.pass(bytes: 0) {
            try await threads.runIfActive {
                try unsealer.resources.release(path, to: credential, from: remote, at: clock())
            }
        }
        context.notes.add(released.decisions)
        return .json(released.body, covering: released.head)
    }

    /// A token goes before a cookie: who sends one means it.
    private static func credential(in request: Request) -> ResourceDesk.Credential? {
        if let value = request.headers[.authorization] {
            guard value.prefix(7).lowercased() == "bearer " else { return nil }
            return .token(String(value.dropFirst(7)))
        }
        return session(in: request).map { .cookie($0) }
    }

    private static func session(in request: Request) -> String? {
        let pairs = request.headers[values: .cookie].flatMap { $0.split(separator: ";") }
        for pair in pairs {
            let pair = pair.drop { $0 == " " }
            if pair.hasPrefix(sessionCookie + "=") { return String(pair.dropFirst(sessionCookie.count + 1)) }
        }
        return nil
    }
}
