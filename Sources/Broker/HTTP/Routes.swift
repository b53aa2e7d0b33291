// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOPosix
internal import PinKit

/// The protocol's paths (docs/spec/broker.md): reads a body, asks the unsealer on a thread that may block, writes a body.
struct Routes: Sendable {
    let unsealer: Unsealer
    let gate: Gate
    let threads: NIOThreadPool
    let clock: @Sendable () -> Int64

    /// `admin`: nil where administrators have an address of their own, or none.
    func router(
        _ recorder: RequestRecorder, _ operations: Operations, _ admin: AdminRoutes?
    ) -> Router<BrokerRequestContext> {
        let router = Router(context: BrokerRequestContext.self)
        router.add(middleware: recorder)
        operations.add(to: router)
        admin?.add(to: router)
        router.post("kbs/v0/auth") { request, context in try await auth(request, context) }
        router.post("kbs/v0/unseal") { request, context in try await unseal(request, context) }
        router.post("kbs/v0/attest") { request, context in try await attest(request, context) }
        router.get("kbs/v0/resource/:repository/:type/:tag") { request, context in try await resource(request, context) }
        return router
    }

    private func auth(_ request: Request, _ context: BrokerRequestContext) async throws -> Response {
        let (message, _) = try await message(AuthRequest.self, in: request)
        let now = clock()
        let challenge = try unsealer.challenge(at: now)
        var response = Response.json(challenge.body)
        response.headers[.setCookie] = Self.cookie(try unsealer.resources.begin(message, challenge, at: now))
        return response
    }

    private func unseal(_ request: Request, _ context: BrokerRequestContext) async throws -> Response {
        let (message, length) = try await message(UnsealRequest.self, in: request)
        let remote = context.remote
        try await unsealer.prepare(message, at: clock())
        let unsealed = try await gate.pass(bytes: length) {
            try await threads.runIfActive { try unsealer.unseal(message, from: remote, at: clock()) }
        }
        context.notes.add(unsealed.decisions)
        return .json(unsealed.response.body, covering: unsealed.head)
    }

    /// The request's body, bounded in size and time, as a message, and how long it is.
    private func message<M: Message>(_ type: M.Type, in request: Request) async throws -> (M, length: Int) {
        let body = try await body(of: request, upTo: M.maximumLength)
        do throws(JSONError) {
            return (try M(body: body), body.count)
        } catch {
            throw Rejection(.malformedRequest, error.description)
        }
    }

    func body(of request: Request, upTo limit: Int) async throws -> [UInt8] {
        Array(try await request.body.collect(upTo: limit).readableBytesView)
    }
}

extension Response {
    /// `head` covers the decisions in the body, for who wants to keep it.
    static func json(_ body: [UInt8], status: HTTPResponse.Status = .ok, covering head: AuditHead? = nil) -> Response {
        var headers: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
        if let head, let name = HTTPField.Name.auditHead { headers[name] = head.compact }
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }

    static func text(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}

extension HTTPField.Name {
    /// docs/spec/broker.md §6.2.
    static let auditHead = HTTPField.Name("Cvm-Clevis-Audit-Head")
}

/// Runs `body`, and gives up on it with ``DeadlinePassed`` after `limit`.
func withDeadline<Value: Sendable>(
    _ limit: Duration, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        defer { group.cancelAll() }
        group.addTask(operation: body)
        group.addTask {
            try await Task.sleep(for: limit)
            throw DeadlinePassed()
        }
        guard let first = try await group.next() else { throw CancellationError() }
        return first
    }
}

struct DeadlinePassed: Error {}
