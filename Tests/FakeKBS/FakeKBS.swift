// SPDX-License-Identifier: Apache-2.0
internal import Attestation
package import BrokerProtocol
package import HTTPClient
package import KBSClient
package import PinKit
internal import Synchronization
internal import TEE

/// A server of the KBS protocol without a socket that behaves as Trustee does: it takes exactly one version, has 401 for nearly
/// everything, and gives resources only to a key that the evidence of this session was made for.
package final class FakeKBS: Connection, Sendable {
    /// What it does wrong, or is told to do.
    package enum Manner: Sendable {
        case honest
        /// Its policy is against it.
        case denying
        /// It does not know sessions any more, so often.
        case forgetting(times: Int)
        case status(Int, at: String)
        /// Answers, but not as a server of this protocol.
        case babbling(at: String)
        /// Encrypts to a key of its own.
        case sealingElsewhere
    }

    private struct State {
        var log: [String] = []
        var nonce = ""
        /// What the latest evidence vouches for.
        var key: JSON?
        var left = 0
    }

    private let version: KBSVersion
    private let resources: [String: [UInt8]]
    private let manner: Manner
    private let hash: String?
    private let state = Mutex(State())

    package init(
        _ resources: [String: [UInt8]], _ manner: Manner = .honest, version: KBSVersion = .v0_4_0, hash: String? = nil
    ) {
        self.version = version
        self.resources = resources
        self.manner = manner
        self.hash = hash
        if case .forgetting(let times) = manner { state.withLock { $0.left = times } }
    }

    /// What it was asked for, in order: `auth`, `attest`, `resource/default/disk/root`.
    package var log: [String] { state.withLock { $0.log } }

    package func send(_ body: [UInt8]?, to url: String, before deadline: Deadline) throws(PinError) -> HTTPResponse {
        let parts = url.split(separator: "/", omittingEmptySubsequences: false)
        let path = (parts.firstIndex(of: "v0").map { parts[($0 + 1)...] } ?? []).joined(separator: "/")
        state.withLock { $0.log.append(path) }
        let step = String(path.split(separator: "/").first ?? "")
        switch manner {
        case .status(let status, step): return HTTPResponse(status: status, body: [])
        case .babbling(step): return HTTPResponse(status: 200, body: Array("<html>".utf8))
        default: break
        }
        do {
            return try answer(step, body, path)
        } catch {
            return refusal("AttestationError")
        }
    }

    private func answer(_ step: String, _ body: [UInt8]?, _ path: String) throws -> HTTPResponse {
        switch step {
        case "auth":
            guard try AuthRequest(body: body ?? []).version == version else { return refusal("ProtocolVersion") }
            return HTTPResponse(status: 200, body: challenge())
        case "attest":
            let key = try attested(body ?? [])
            state.withLock { $0.key = key }
            return HTTPResponse(status: 200, body: Array(#"{"token":"e30.e30.e30"}"#.utf8))
        default: return try resource(String(path.dropFirst("resource/".count)))
        }
    }

    private func challenge() -> [UInt8] {
        let nonce = Base64.encode((try? Random.bytes(32)) ?? [])
        state.withLock { $0.nonce = nonce }
        let parameters: JSON = hash.map { ["selected-hash-algorithm": .string($0)] } ?? ""
        let challenge: JSON = ["nonce": .string(nonce), "extra-params": parameters, "of-a-later-release": true]
        return Array(challenge.compact.utf8)
    }

    /// The key that evidence of this session is for.
    private func attested(_ body: [UInt8]) throws -> JSON? {
        let message = try JSON(parsing: body)
        let file = try EvidenceFile(parsing: body)
        let nonce = state.withLock { $0.nonce }
        guard let request = file.request, request.nonce == (version == .v0_4_0 ? nonce : nil),
            file.evidence.reportData == request.reportData(nonce: nonce)
        else { throw PinError(.refused) }
        return (version == .v0_4_0 ? message["runtime-data"] : message)?["tee-pubkey"]
    }

    private func resource(_ path: String) throws -> HTTPResponse {
        let (key, isForgotten) = state.withLock { state -> (JSON?, Bool) in
            defer { state.left -= 1 }
            return (state.key, state.left > 0)
        }
        guard let key, !isForgotten else { return refusal("TokenNotFound") }
        if case .denying = manner { return refusal("PolicyDeny") }
        guard let content = resources[path] else { return refusal("PluginInternalError") }
        let point = try CurvePoint(jwk: key)
        let recipient: CurvePoint
        if case .sealingElsewhere = manner {
            recipient = try CurvePoint(jwk: AgreementKey.generate().publicKey.jwk)
        } else {
            recipient = point
        }
        let message = try JWE.Draft(to: recipient).seal(SecretBytes(copyingPublic: content))
        return HTTPResponse(status: 200, body: Array(message.flattened.compact.utf8))
    }

    private func refusal(_ name: String) -> HTTPResponse {
        HTTPResponse(status: 401, body: KBSError(.init(name: name, status: 401), detail: "told to").body)
    }
}

extension EvidenceFile.Evidence {
    fileprivate var reportData: [UInt8]? {
        switch self {
        case .snp(let report, _): SNPField.reportData.bytes(of: report)
        case .tdx(let quote, _): Array(quote.prefix(64))
        }
    }
}

/// Leads to servers by their address.
package struct FakeNetwork: Transport {
    private struct Route: Connection {
        let servers: [String: FakeKBS]

        func send(_ body: [UInt8]?, to url: String, before deadline: Deadline) throws(PinError) -> HTTPResponse {
            guard let server = servers.first(where: { url.hasPrefix($0.key + "/kbs/v0/") })?.value else {
                throw PinError(.unavailable, step: "connect", detail: "nobody there")
            }
            return try server.send(body, to: url, before: deadline)
        }
    }

    private let servers: [String: FakeKBS]

    package init(_ servers: [String: FakeKBS]) { self.servers = servers }

    package func prepare() {}

    package func connect(trusting trust: ServerTrust) throws(PinError) -> any Connection { Route(servers: servers) }
}

/// A platform whose reports nobody signs, with fields by which a wrong encoding of any would show; and counts them.
package final class UnsignedPlatform: EvidenceReporter {
    private let absence: PinError?
    private let count = Mutex(0)
    private let version: UInt8

    package init(version: UInt8 = 3, absence: PinError? = nil) {
        self.version = version
        self.absence = absence
    }

    package var reports: Int { count.withLock { $0 } }

    package func requirePlatform() throws(PinError) { if let absence { throw absence } }

    package func report(for data: [UInt8], before deadline: Deadline) throws(PinError) -> EvidenceDocument {
        count.withLock { $0 += 1 }
        var report = Self.sample(version: version)
        SNPField.reportData.put(data, into: &report)
        return .snp(report: report, certificates: [])
    }

    /// A report, no two neighbouring bytes of which are equal where the version has fields.
    package static func sample(version: UInt8, family: UInt8 = 0x19) -> [UInt8] {
        var report = [UInt8](repeating: 0, count: SNPField.reportSize)
        for index in 0..<0x1F8 { report[index] = UInt8(truncatingIfNeeded: index &* 7 &+ 1) }
        for field in [SNPField.signatureR, .signatureS] {
            for index in field.range.prefix(48) { report[index] = UInt8(truncatingIfNeeded: index &* 11 &+ 3) }
        }
        SNPField.version.put(UInt64(version), into: &report)
        for index in [0x0F, 0x47] { report[index] = 1 }
        for index in [0x4C, 0x4D, 0x4E, 0x4F, 0x1EB, 0x1EF] { report[index] = 0 }
        for index in 0x188..<0x1A0 { report[index] = 0 }
        for field in [SNPField.currentTCB, .reportedTCB, .committedTCB, .launchTCB] {
            let gap = family >= 0x1A && version > 2 ? 4..<7 : 2..<6
            for index in gap { report[field.range.lowerBound + index] = 0 }
        }
        if version >= 3 { report.replaceSubrange(0x188..<0x18B, with: [family, 0x11, 2]) }
        if version >= 5 {
            SNPField.launchMitigations.put(0x0102_0304_0506_0708, into: &report)
            SNPField.currentMitigations.put(7, into: &report)
        }
        return report
    }
}
