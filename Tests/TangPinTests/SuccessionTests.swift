// SPDX-License-Identifier: Apache-2.0
import PinKit
import TangPin
import TangServer
import Testing

/// Who vouches for the new keys of a server.
@Suite struct SuccessionTests {
    let server: Tangd
    /// Made while the server's first keys were in use.
    let message: JWE

    init() throws {
        server = try Tangd()
        message = try SuccessionTests.bind(to: server)
    }

    private static func bind(to server: Tangd) throws -> JWE {
        let registry = PinRegistry([TangPin()])
        let binding = try Binding(issuedAt: 0, owner: nil, registry: registry)
        let configuration: JSON = ["url": .string(server.url), "adv": try server.advertisement()]
        return try registry.encryptor(named: "tang", for: configuration, in: binding)
            .encrypt(SecretBytes(copyingPublic: [1]))
    }

    private func succeeds(_ thumbprints: [String], at url: String? = nil) -> Bool {
        TangPin.succeeds(message, url: url ?? server.url, thumbprints: thumbprints)
    }

    @Test func `the keys of an earlier message are trusted, without asking the server`() throws {
        let thumbprint = try server.thumbprint()
        server.stop()
        #expect(succeeds([thumbprint]))
        #expect(!succeeds([]))
        #expect(!succeeds([String(repeating: "A", count: 43)]))
    }

    @Test func `new keys are trusted where an old one has signed them`() throws {
        try server.rotate()
        #expect(succeeds([try server.thumbprint()]))
    }

    @Test func `new keys that the server does not have are not`() throws {
        try server.rotate()
        #expect(!succeeds([String(repeating: "A", count: 43)]))
        #expect(!succeeds([try server.thumbprint(), String(repeating: "A", count: 43)]))
    }

    @Test func `a server that forgot its old keys is not trusted, and neither is one in its place`() throws {
        try server.forget()
        #expect(!succeeds([try server.thumbprint()]))
    }

    @Test func `trust is in one address`() throws {
        #expect(!succeeds([try server.thumbprint()], at: server.address))
        let other = try Tangd()
        #expect(!succeeds([try other.thumbprint()], at: other.url))
    }
}
