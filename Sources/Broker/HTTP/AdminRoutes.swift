// SPDX-License-Identifier: Apache-2.0
internal import BrokerProtocol
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import NIOPosix
internal import PinKit

/// One of the calls of administrators: which request it is.
package struct AdminRoute: Sendable {
    package let method: String
    /// A part that begins with a colon stands for any.
    package let path: String
    package let action: AdminAction
    /// Bytes of its body.
    let limit: Int

    /// Bytes of a policy, and of a message that holds one.
    static let policyLimit = 96 << 10
    static let messageLimit = 16 << 10
    private static let setLimit = 128 << 10

    private init(_ method: String, _ path: String, _ action: AdminAction, limit: Int = 0) {
        self.method = method
        self.path = path
        self.action = action
        self.limit = limit
    }

    /// All of them (docs/spec/broker.md §9.3, §9.4).
    package static let all = [
        AdminRoute("GET", "/admin/v1/public", .publicGet),
        AdminRoute("GET", "/admin/v1/resources", .resourceList),
        AdminRoute("GET", "/admin/v1/resources/:repository/:type/:tag", .resourceGet),
        AdminRoute("PUT", "/admin/v1/resources/:repository/:type/:tag", .resourcePut, limit: Store.resourceCount.upperBound),
        AdminRoute("DELETE", "/admin/v1/resources/:repository/:type/:tag", .resourceDelete),
        AdminRoute("GET", "/admin/v1/policy", .policyGet),
        AdminRoute("PUT", "/admin/v1/policy", .policyPut, limit: policyLimit),
        AdminRoute("GET", "/admin/v1/revocations", .revocationList),
        AdminRoute("POST", "/admin/v1/revocations", .revoke, limit: messageLimit),
        AdminRoute("GET", "/admin/v1/reference-sets", .refvaluesList),
        AdminRoute("POST", "/admin/v1/reference-sets", .refvaluesPut, limit: setLimit),
        AdminRoute("GET", "/admin/v1/audit", .auditList),
        AdminRoute("GET", "/admin/v1/owners", .ownerList),
        AdminRoute("POST", "/admin/v1/owners", .ownerEnrol, limit: messageLimit),
        AdminRoute("POST", "/kbs/v0/resource/:repository/:type/:tag", .resourcePut, limit: Store.resourceCount.upperBound),
        AdminRoute("GET", "/kbs/v0/resource-policy", .kbsPolicyGet),
        AdminRoute("POST", "/kbs/v0/resource-policy", .kbsPolicyPut, limit: policyLimit),
        AdminRoute("POST", "/kbs/v0/attestation-policy", .kbsUnsupported, limit: policyLimit),
        AdminRoute("GET", "/kbs/v0/reference-value/:id", .kbsUnsupported),
        AdminRoute("POST", "/kbs/v0/reference-value", .kbsUnsupported, limit: policyLimit),
    ]

    /// What of `path` differs from call to call.
    func target(in path: String) -> String {
        let count = self.path.split(separator: "/").count { $0.hasPrefix(":") }
        return path.split(separator: "/", omittingEmptySubsequences: false).suffix(count).joined(separator: "/")
    }
}

/// Reads an administrator's call, has it done on a thread that may block, and writes its answer.
struct AdminRoutes: Sendable {
    let desk: AdminDesk
    /// Has `public.json`, which changes with the keys.
    let directory: BrokerDirectory
    /// Whether only tokens are taken that come with a certificate of their own.
    let needsPin: Bool
    let gate: Gate
    let threads: NIOThreadPool
    let clock: @Sendable () -> Int64

    /// For an address of their own.
    func router(_ recorder: RequestRecorder) -> Router<BrokerRequestContext> {
        let router = Router(context: BrokerRequestContext.self)
        router.add(middleware: recorder)
        add(to: router)
        return router
    }

    func add(to router: Router<BrokerRequestContext>) {
        for route in AdminRoute.all {
            guard let method = HTTPRequest.Method(route.method) else { continue }
            router.on(RouterPath(String(route.path.dropFirst())), method: method) { request, context in
                try await answer(route, request, context)
            }
        }
    }

    private func answer(_ route: AdminRoute, _ request: Request, _ context: BrokerRequestContext) async throws -> Response {
        let body = try await secretBody(of: request, upTo: route.limit)
        let policy = HTTPField.Name.policy.flatMap { request.headers[$0] }
        let call = AdminCall(
            route.action, token: Self.token(in: request), clientPin: context.clientPin, remote: context.remote,
            target: route.target(in: request.uri.path),
            query: Dictionary(
                request.uri.queryParameters.map { (String($0.key), String($0.value)) },
                uniquingKeysWith: { first, _ in first }),
            policy: policy, body: body)
        let answer = try await gate.pass(bytes: body.bytes.count) {
            try await threads.runIfActive {
                try desk.perform(
                    call, description: { () throws(BrokerError) in try directory.publicDescription().json },
                    needsPin: needsPin, at: clock())
            }
        }
        context.notes.add(answer.decisions)
        return .json(Array(answer.body.canonical.utf8), covering: answer.head)
    }

    private static func token(in request: Request) -> String? {
        guard let value = request.headers[.authorization], value.prefix(7).lowercased() == "bearer " else { return nil }
        return String(value.dropFirst(7))
    }

    /// The body, which may be a secret: what it was collected in is wiped.
    private func secretBody(of request: Request, upTo limit: Int) async throws -> HeldSecret {
        var buffer = try await request.body.collect(upTo: limit)
        let body = unsafe buffer.withUnsafeReadableBytes { unsafe HeldSecret(SecretBytes(copying: $0)) }
        _ = unsafe buffer.withUnsafeMutableReadableBytes { unsafe $0.initializeMemory(as: UInt8.self, repeating: 0) }
        return body
    }
}

extension HTTPField.Name {
    /// Of a resource that is put: docs/spec/broker.md §9.3.
    static let policy = HTTPField.Name("Cvm-Clevis-Policy")
}
