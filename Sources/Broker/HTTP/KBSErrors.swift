// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import Hummingbird
internal import NIOCore

/// Turns whatever went wrong into the protocol's error body, and logs it once. Nothing of an unexpected error reaches the peer.
struct KBSErrors: RouterMiddleware {
    let log: DecisionLog

    func handle(
        _ request: Request, context: BrokerRequestContext,
        next: (Request, BrokerRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            let rejection = KBSErrors.rejection(for: error)
            log.note(rejection, of: request.uri.path, from: context.remote)
            let body = KBSError(rejection.variant, detail: rejection.detail).body
            return Response.json(body, status: .init(code: rejection.variant.status))
        }
    }

    static func rejection(for error: any Error) -> Rejection {
        switch error {
        case let rejection as Rejection: rejection
        case is NIOTooManyBytesError: Rejection(.bodyTooLarge, "the body is too long")
        case is DeadlinePassed: Rejection(.timeout, "the body did not come within \(Routes.bodyDeadline)")
        case let error as HTTPError where error.status == .notFound:
            Rejection(.notFound, "no such path, or not by this method")
        default: Rejection(.internalError, "the broker failed", cause: BrokerError("\(error)"))
        }
    }
}

extension KBSError.Variant {
    static let timeout = KBSError.Variant(name: "Timeout", status: 408)
    static let internalError = KBSError.Variant(name: "InternalError", status: 500)
}
