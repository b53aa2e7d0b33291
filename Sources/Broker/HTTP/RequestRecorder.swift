// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import Hummingbird
internal import NIOCore

/// Around every request: turns away who sends too many, turns whatever went wrong into the protocol's error body, counts, and
/// writes one line about it. Nothing of an unexpected error reaches the peer.
struct RequestRecorder: RouterMiddleware {
    let rate: ClientRate
    let log: RequestLog
    let metrics: Metrics

    func handle(
        _ request: Request, context: BrokerRequestContext,
        next: (Request, BrokerRequestContext) async throws -> Response
    ) async throws -> Response {
        let path = request.uri.path
        // What load balancers ask every second is neither limited nor noted.
        if Operations.probes.contains(path) { return try await next(request, context) }
        let start = ContinuousClock.now
        var rejection: Rejection?
        let response: Response
        do {
            guard rate.take(context.remote) else {
                throw Rejection(.tooManyRequests, "this client sends more requests than it may: slow down")
            }
            response = try await next(request, context)
        } catch {
            let reason = KBSErrors.rejection(for: error)
            context.notes.add(reason.decisions)
            rejection = reason
            response = KBSErrors.response(to: reason)
        }
        let duration = ContinuousClock.now - start
        count(path, Int(response.status.code), rejection, context.notes.decisions, duration)
        log.note(
            .init(remote: context.remote, method: request.method.rawValue, path: path), status: Int(response.status.code),
            took: duration, context.notes, rejection)
        return response
    }

    private func count(
        _ path: String, _ status: Int, _ rejection: Rejection?, _ decisions: [AuditEntry], _ duration: Duration
    ) {
        metrics.observe(duration)
        metrics.count(
            .requests, ["endpoint": endpoint(of: path), "status": "\(status)", "error": rejection?.variant.name ?? ""])
        for entry in decisions {
            if let action = entry.action {
                metrics.count(.adminCalls, ["action": action, "decision": entry.verdict.decision.rawValue])
                continue
            }
            metrics.count(.decisions, ["decision": entry.verdict.decision.rawValue])
            for failure in entry.verdict.failures { metrics.count(.failures, ["predicate": failure.predicate]) }
        }
    }

    private func endpoint(of path: String) -> String {
        let parts = path.split(separator: "/")
        if parts.first == "admin" { return "admin" }
        guard parts.count >= 3, parts[0] == "kbs", parts[1] == "v0" else { return "other" }
        let known = ["auth", "unseal", "attest", "resource"]
        return known.first { $0 == parts[2] } ?? "other"
    }
}

/// Whatever went wrong, as the protocol's error.
enum KBSErrors {
    static func rejection(for error: any Error) -> Rejection {
        switch error {
        case let rejection as Rejection: rejection
        case is NIOTooManyBytesError: Rejection(.bodyTooLarge, "the body is too long")
        case is DeadlinePassed: Rejection(.timeout, "the body did not come within \(BodyDeadline.seconds) seconds")
        case let error as HTTPError where error.status == .notFound:
            Rejection(.notFound, "no such path, or not by this method")
        default: Rejection(.internalError, "the broker failed", cause: BrokerError("\(error)"))
        }
    }

    static func response(to rejection: Rejection) -> Response {
        let body = KBSError(rejection.variant, detail: rejection.detail).body
        var response = Response.json(body, status: .init(code: rejection.variant.status), covering: rejection.head)
        if [429, 503].contains(rejection.variant.status) { response.headers[.retryAfter] = "1" }
        return response
    }
}

extension KBSError.Variant {
    static let timeout = KBSError.Variant(name: "Timeout", status: 408)
    static let tooManyRequests = KBSError.Variant(name: "TooManyRequests", status: 429)
    static let internalError = KBSError.Variant(name: "InternalError", status: 500)
}
