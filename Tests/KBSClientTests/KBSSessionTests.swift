// SPDX-License-Identifier: Apache-2.0
import BrokerProtocol
import FakeKBS
import KBSClient
import PinKit
import Testing

@Suite struct KBSSessionTests {
    private let path = "default/disk/root"
    private let content = Array("0123456789abcdef0123456789abcdef".utf8)

    private func server(_ name: String = "a", version: KBSVersion? = nil) throws -> KBSServer {
        KBSServer(url: try BrokerURL("https://\(name).example"), trust: ServerTrust(tlsPin: nil), version: version)
    }

    private func fetch(
        _ path: String? = nil, from servers: [KBSServer], of network: [String: FakeKBS],
        on platform: UnsignedPlatform = UnsignedPlatform()
    ) throws(PinError) -> [UInt8] {
        let guest = KBSGuest(
            .snp, reporter: platform, transport: FakeNetwork(network), before: .after(seconds: 10))
        return bytes(try guest.fetch(path ?? self.path, from: servers))
    }

    @Test(arguments: [KBSVersion.v0_4_0, .v0_2_0])
    func `a server's one version is found, with one report`(version: KBSVersion) throws {
        let (kbs, platform) = (FakeKBS([path: content], version: version), UnsignedPlatform())
        #expect(try fetch(from: [server()], of: ["https://a.example": kbs], on: platform) == content)
        #expect(kbs.log.last == "resource/\(path)" && kbs.log.filter { $0 == "attest" }.count == 1)
        #expect(kbs.log.filter { $0 == "auth" }.count == (version == .v0_4_0 ? 1 : 2))
        #expect(platform.reports == 1)
    }

    @Test func `a version that is named is the only one that is tried`() throws {
        let kbs = FakeKBS([path: content], version: .v0_2_0)
        #expect(throws: PinError(.unavailable)) {
            try fetch(from: [server(version: .v0_4_0)], of: ["https://a.example": kbs])
        }
        #expect(kbs.log == ["auth"])
        #expect(try fetch(from: [server(version: .v0_2_0)], of: ["https://a.example": kbs]) == content)
    }

    @Test func `a server may select another hash`() throws {
        for hash in ["sha384", "sha512-256"] {
            let kbs = FakeKBS([path: content], hash: hash)
            let got = try? fetch(from: [server()], of: ["https://a.example": kbs])
            #expect(got == (hash == "sha384" ? content : nil))
        }
    }

    @Test func `a session that got lost is begun anew, three times at most`() throws {
        let platform = UnsignedPlatform()
        let twice = FakeKBS([path: content], .forgetting(times: 2))
        #expect(try fetch(from: [server()], of: ["https://a.example": twice], on: platform) == content)
        #expect(platform.reports == 3)
        let ever = FakeKBS([path: content], .forgetting(times: 9))
        #expect(throws: PinError(.unavailable)) { try fetch(from: [server()], of: ["https://a.example": ever]) }
        #expect(ever.log.filter { $0 == "attest" }.count == 3)
    }

    @Test func `a no is final, and what is missing may come later: neither is asked for twice`() throws {
        let denying = FakeKBS([path: content], .denying)
        #expect(throws: PinError(.refused)) { try fetch(from: [server()], of: ["https://a.example": denying]) }
        let empty = FakeKBS([:])
        #expect(throws: PinError(.unavailable)) { try fetch(from: [server()], of: ["https://a.example": empty]) }
        for kbs in [denying, empty] { #expect(kbs.log == ["auth", "attest", "resource/\(path)"]) }
    }

    @Test(arguments: [
        (FakeKBS.Manner.status(403, at: "attest"), PinError.Code.refused), (.status(403, at: "resource"), .refused),
        (.status(404, at: "resource"), .unavailable), (.status(401, at: "attest"), .unavailable),
        (.status(500, at: "auth"), .unavailable), (.status(302, at: "resource"), .unavailable),
        (.status(413, at: "attest"), .malformed), (.babbling(at: "auth"), .unavailable),
        (.babbling(at: "resource"), .malformed), (.sealingElsewhere, .refused),
    ])
    func `what servers do wrong has a code`(manner: FakeKBS.Manner, code: PinError.Code) throws {
        let kbs = FakeKBS([path: content], manner)
        let error = #expect(throws: PinError.self) { try fetch(from: [server()], of: ["https://a.example": kbs]) }
        #expect(error?.code == code && error?.detail.hasPrefix("https://a.example") == true, "\(error as Any)")
    }

    @Test func `servers are asked in their order, until one gives it`() throws {
        let (denying, good) = (FakeKBS([path: content], .denying), FakeKBS([path: content]))
        let network = ["https://b.example": denying, "https://c.example": good]
        #expect(try fetch(from: [server("a"), server("b"), server("c")], of: network) == content)
        #expect(denying.log.count == 3 && good.log.count == 3)
        // One that is not there may come back, whatever the others say.
        #expect(throws: PinError(.unavailable)) { try fetch(from: [server("a"), server("b")], of: network) }
        #expect(throws: PinError(.unavailable)) { try fetch(from: [server("b"), server("a")], of: network) }
        #expect(throws: PinError(.refused)) { try fetch(from: [server("b")], of: network) }
    }
}
